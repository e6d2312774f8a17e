#include "server/io/tcp_socket.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/server/io/test_stream.h"

namespace turnpike {

TEST_CASE("the kernel keeps little for a connection whose other end does not read") {
  const auto listener = OpenTcpSocket(*TransportAddress::Parse("127.0.0.1:0"), false);
  REQUIRE(listener);
  REQUIRE(listen(listener->get(), 1) == 0);
  TestStream reader(OwnAddress(listener->get()), 4096);
  REQUIRE(reader.connected());
  auto accepted = AcceptTcp(listener->get());
  REQUIRE(accepted);
  TuneConnection(accepted->fd.get());
  const std::string bytes(1200, 'x');
  const iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  size_t taken = 0;
  while (const auto some = SendSome(accepted->fd.get(), {&vector, 1})) taken += *some;
  CHECK(taken > 64 << 10);
  CHECK(taken < 512 << 10);
  // What the other end reads makes room again.
  size_t received = 0;
  while (received < taken / 2) received += reader.TryReceive().size();
  CHECK(SendSome(accepted->fd.get(), {&vector, 1}).has_value());
}

}  // namespace turnpike
