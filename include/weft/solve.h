#ifndef WEFT_SOLVE_H
#define WEFT_SOLVE_H
#include <weft/op.h>
#endif
