#include "server/io/guest_book.h"

#include <doctest/doctest.h>

namespace turnpike {
namespace {

Client ClientAt(uint16_t port, uint32_t link) {
  Client client;
  client.five_tuple.client = {*IpAddress::Parse("7.7.7.7"), port};
  client.link = LinkId(link);
  return client;
}

}  // namespace

TEST_CASE("a guest is known by its 5-tuple at a listener, by its link on a connection") {
  GuestBook book;
  const Client udp = ClientAt(1, 0);
  const Client tcp = ClientAt(2, kFirstConnection + 5);
  CHECK(!book.OwnerOf(udp));
  book.Host(udp, CoreId(1));
  book.Host(tcp, CoreId(2));
  CHECK(book.OwnerOf(udp) == CoreId(1));
  CHECK(!book.OwnerOf(ClientAt(3, 0)));
  CHECK(book.OwnerOf(tcp) == CoreId(2));
  // A new connection of the same 5-tuple is another client.
  CHECK(!book.OwnerOf(ClientAt(2, kFirstConnection + 6)));
  CHECK(book.HostsConnection(tcp.link));
  CHECK(!book.HostsConnection(udp.link));
  book.Dismiss(udp);
  book.Dismiss(tcp);
  CHECK(!book.OwnerOf(udp));
  CHECK(!book.OwnerOf(tcp));
}

TEST_CASE("all owners that a connection was passed to hear of its end, once; a listener has none") {
  GuestBook book;
  const LinkId link(kFirstConnection);
  book.NotePassed(link, CoreId(1));
  book.NotePassed(link, CoreId(1));
  book.NotePassed(link, CoreId(3));
  book.NotePassed(LinkId(kFirstConnection + 1), CoreId(2));
  book.NotePassed(LinkId(0), CoreId(2));
  book.Host(ClientAt(1, link.value()), CoreId(3));
  CHECK(book.TakePassed(link) == std::vector<CoreId>{CoreId(1), CoreId(3)});
  CHECK(!book.HostsConnection(link));
  CHECK(book.TakePassed(link).empty());
  CHECK(book.TakePassed(LinkId(0)).empty());
}

TEST_CASE("a way to another worker's client keeps its link until it is removed") {
  GuestBook book;
  const GuestBook::Whereabouts there{CoreId(1), LinkId(0)};
  const GuestBook::Whereabouts elsewhere{CoreId(2), LinkId(0)};
  const LinkId link = book.LinkFor(there);
  CHECK(link.value() >= kFirstGuest);
  CHECK(book.LinkFor(there) == link);
  CHECK(book.LinkFor(elsewhere) != link);
  CHECK(book.Find(link) == there);
  CHECK(book.Remove(there) == link);
  CHECK(!book.Remove(there));
  CHECK(!book.Find(link));
  CHECK(book.LinkFor(there) != link);
}

TEST_CASE("each Forward is awaited until one report") {
  GuestBook book;
  Forward forward;
  forward.wire_bytes = 7;
  const uint64_t one = book.Await(forward);
  const uint64_t two = book.Await(forward);
  CHECK(book.TakeAwaited(one)->wire_bytes == 7);
  CHECK(!book.TakeAwaited(one));
  CHECK(book.TakeAllAwaited().size() == 1);
  CHECK(!book.TakeAwaited(two));
}

}  // namespace turnpike
