#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H
#include <weft/op.h>
#endif
