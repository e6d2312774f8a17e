#include "common/net/five_tuple.h"

#include <doctest/doctest.h>

#include <set>

namespace turnpike {
namespace {

FiveTuple Tuple(std::string_view client, std::string_view server, Transport transport) {
  return {TransportAddress::Parse(client).value(), TransportAddress::Parse(server).value(),
          transport};
}

TEST_CASE("transport: names and streams") {
  CHECK(TransportName(Transport::kUdp) == "udp");
  CHECK(TransportName(Transport::kTcp) == "tcp");
  CHECK(TransportName(Transport::kTls) == "tls");
  CHECK(TransportName(Transport::kDtls) == "dtls");
  CHECK(IsStream(Transport::kTcp));
  CHECK(IsStream(Transport::kTls));
  CHECK_FALSE(IsStream(Transport::kUdp));
  CHECK_FALSE(IsStream(Transport::kDtls));
}

TEST_CASE("five-tuple: every part and the key change the hash") {
  const SipKey key{1, 2};
  const std::set<uint64_t> hashes = {
      HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.9:10", Transport::kUdp)),
      HashFiveTuple({1, 3}, Tuple("1.2.3.4:5", "6.7.8.9:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.9:10", Transport::kTcp)),
      HashFiveTuple(key, Tuple("1.2.3.5:5", "6.7.8.9:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("1.2.3.4:6", "6.7.8.9:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.8:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.9:11", Transport::kUdp)),
      HashFiveTuple(key, Tuple("6.7.8.9:10", "1.2.3.4:5", Transport::kUdp)),
      HashFiveTuple(key, Tuple("[102:304::]:5", "6.7.8.9:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("1.2.3.4:5", "[607:809::]:10", Transport::kUdp)),
      HashFiveTuple(key, Tuple("[102:304::]:5", "[607:809::]:10", Transport::kUdp)),
  };
  CHECK(hashes.size() == 11);
  CHECK(HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.9:10", Transport::kUdp)) ==
        HashFiveTuple(key, Tuple("1.2.3.4:5", "6.7.8.9:10", Transport::kUdp)));
}

}  // namespace
}  // namespace turnpike
