#ifndef WEFT_TAPE_H
#define WEFT_TAPE_H
#include <weft/op.h>
#endif
