#ifndef WEFT_NN_H
#define WEFT_NN_H
#include <weft/op.h>
#endif
