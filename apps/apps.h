/* What the files of the command share. */
#ifndef WEFT_APPS_H
#define WEFT_APPS_H
#include <weft.h>
#define WEFT_VERB(name, function, example, help) PetscErrorCode function(void);
#include "verbs.h"
#undef WEFT_VERB
#endif
