// A preload for turnutils_uclient, which picks its channel number at random from 0x4000-0x7FFF, the
// range of RFC 5766. RFC 8656 §12 ends at 0x4FFF and has a server answer 400 beyond. The number is
// 0x4000 plus 14 bits of what RAND_bytes says in eight bytes; this clears the upper two of them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

int RAND_bytes(unsigned char* bytes, int size) {
  int (*next)(unsigned char*, int) = (int (*)(unsigned char*, int))dlsym(RTLD_NEXT, "RAND_bytes");
  const int ok = next(bytes, size);
  long number;
  if (size == sizeof(number)) {
    memcpy(&number, bytes, sizeof(number));
    number &= ~0x3000L;
    memcpy(bytes, &number, sizeof(number));
  }
  return ok;
}
