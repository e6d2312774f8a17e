#include "server/host_addresses.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <string>

namespace turnpike {
namespace {

std::vector<std::string> Choose(std::initializer_list<const char*> host) {
  std::vector<IpAddress> addresses;
  for (const char* text : host) addresses.push_back(*IpAddress::Parse(text));
  std::vector<std::string> chosen;
  for (const IpAddress& ip : ChooseRelayAddresses(addresses)) chosen.push_back(ip.ToString());
  return chosen;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("one address per family relays: public before private, in the host's order") {
  CHECK(Choose({"127.0.0.1", "172.17.0.1", "203.0.113.7", "203.0.113.8", "::1", "fe80::1",
                "fd00::5", "2001:db8::7"}) == Texts{"203.0.113.7", "2001:db8::7"});
  CHECK(Choose({"127.0.0.1", "10.0.0.5", "172.17.0.1", "fd00::5"}) == Texts{"10.0.0.5", "fd00::5"});
  CHECK(Choose({"127.0.0.1", "10.0.0.5", "::1", "fe80::1"}) == Texts{"10.0.0.5"});
}

TEST_CASE("loopback relays only when nothing else is there; link-local and multicast never") {
  CHECK(Choose({"127.0.0.1", "::1", "fe80::1", "169.254.3.4"}) == Texts{"127.0.0.1", "::1"});
  CHECK(Choose({"fe80::1"}).empty());
  CHECK(Choose({}).empty());
}

TEST_CASE("this host has loopback among its addresses, each once") {
  std::vector<IpAddress> host = HostAddresses();
  CHECK(std::ranges::find(host, *IpAddress::Parse("127.0.0.1")) != host.end());
  std::ranges::sort(host);
  CHECK(std::ranges::adjacent_find(host) == host.end());
}

}  // namespace turnpike
