#ifndef WEFT_IO_H
#define WEFT_IO_H
#include <weft/op.h>
#endif
