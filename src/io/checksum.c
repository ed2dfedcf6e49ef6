/* CRC-64 (polynomial of ECMA-182, reflected): of bytes, to be carried on. */
#include "io/impl.h"

/* Table k advances a byte through k more bytes: eight are taken at once. */
unsigned long long WeftChecksum(unsigned long long sum, size_t bytes, const void *data)
{
  static unsigned long long table[8][256];
  const unsigned char      *byte = (const unsigned char *)data;

  if (!table[0][1]) {
    for (unsigned long long i = 0; i < 256; i++) {
      unsigned long long entry = i;
      for (int bit = 0; bit < 8; bit++) entry = (entry >> 1) ^ (entry & 1 ? 0xC96C5795D7870F42ULL : 0);
      table[0][i] = entry;
    }
    for (int k = 1; k < 8; k++)
      for (int i = 0; i < 256; i++) table[k][i] = table[0][table[k - 1][i] & 0xFF] ^ (table[k - 1][i] >> 8);
  }
  sum = ~sum;
  for (; bytes >= 8; bytes -= 8, byte += 8) {
    unsigned long long next = 0;
    for (int k = 0; k < 8; k++) next ^= table[7 - k][((sum >> (8 * k)) & 0xFF) ^ byte[k]];
    sum = next;
  }
  for (; bytes; bytes--) sum = table[0][(sum ^ *byte++) & 0xFF] ^ (sum >> 8);
  return ~sum;
}
