// Descriptors that clients cannot use up.
#pragma once

namespace turnpike {

// IsReserved says whether `fd`, just opened for a client or a peer, is one of the last that the
// limit allows: the kernel gives the lowest free number. Whoever opened it should close it and do
// without, as if the kernel had refused (EMFILE): the ledger, the metrics and a reload need
// descriptors most when all others are gone. Under a limit too small to share nothing is reserved.
bool IsReserved(int fd);

}  // namespace turnpike
