#ifndef WEFT_TRAIN_H
#define WEFT_TRAIN_H
#include <weft/op.h>
#endif
