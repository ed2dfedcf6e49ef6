/* Which kernels of BLIS run on this CPU. BLIS 0.9.0 falls back to slow ones on CPUs newer than itself. */
#include "base/impl.h"
#include <blis.h>
#include <stdlib.h>

/* In 0.9.0 the variable is the number of the arch_t, and any word parses as 0; later versions take numbers as well as names. */
void WeftBlisChoose(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
  int  choice = -1;
  char text[16];
  __builtin_cpu_init();
  #if defined(BLIS_CONFIG_HASWELL)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) choice = BLIS_ARCH_HASWELL;
  #endif
  #if defined(BLIS_CONFIG_SKX)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) choice = BLIS_ARCH_SKX;
  #endif
  if (choice < 0) return;
  snprintf(text, sizeof(text), "%d", choice);
  setenv("BLIS_ARCH_TYPE", text, 0);
#endif
}

void WeftBlisStart(void) { bli_init(); }

void WeftBlisEnd(void) { bli_finalize(); }

const char *WeftBlisKernels(void) { return bli_arch_string(bli_arch_query_id()); }
