/* Weft: networks trained through PDE solvers, on any number of MPI ranks. One header per folder of the source. */
#ifndef WEFT_H
#define WEFT_H
#include <weft/base.h>
#include <weft/grid.h>
#include <weft/op.h>
#include <weft/solve.h>
#include <weft/nn.h>
#include <weft/model.h>
#include <weft/tape.h>
#include <weft/io.h>
#include <weft/train.h>
#include <weft/invert.h>
#endif
