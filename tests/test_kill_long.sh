#!/bin/sh
# ctest: long; timeout 1800
# test_kill with 50 random moments for each verb.
set -eu
WEFT_KILLS=50 WEFT_SEED=11 exec "$(dirname "$0")/test_kill.sh"
