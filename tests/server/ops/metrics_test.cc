#include "server/ops/metrics.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "common/metering/account_label.h"
#include "tests/server/ops/fake_source.h"

namespace turnpike {
namespace {

using test::FakeSource;
using Strings = std::vector<std::string>;

bool HasLine(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

// SeriesOf returns what stands before the value in each sample line that begins with `prefix`.
std::vector<std::string> SeriesOf(const std::string& page, const std::string& prefix) {
  std::vector<std::string> series;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(prefix)) series.push_back(line.substr(0, line.rfind(' ')));
  }
  return series;
}

// Names that try to break the page, or to pass for another account.
const std::vector<std::string>& HostileAccounts() {
  static const std::vector<std::string> accounts = {
      "acme",
      "",
      "_other",
      "\\x5Fother",
      "quote\"} 999\nturn_draining 7",
      "back\\slash",
      "back\\x5Cslash",
      std::string("nul\0byte", 8),
      "\xFF\xFE",
      "\\xFF\\xFE",
      "half \xC3",
      "half \\xC3",
      "a=b,c=d",
      "{}",
      "Zürich 東京 🚀",
      "\xE2\x80\xAE right to left",
      "line\r\nfeed",
      "\xEF\xBF\xBD",
      std::string(kMaxAccountBytes, 'x'),
  };
  return accounts;
}

void AddHostileAccounts(FakeSource& source) {
  uint64_t bytes = 9'007'199'254'740'993;
  for (const std::string& account : HostileAccounts()) {
    source.ledger.billable.push_back({account, "us1", {bytes, bytes + 1}});
    bytes += 2;
  }
}

TEST_CASE("the table's names, types and units follow Prometheus's conventions") {
  std::set<std::string_view> names;
  for (const MetricRow& row : MetricTable()) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(row.help.ends_with("."));
    CHECK(row.help.find_first_of("\\\n") == std::string_view::npos);
    CHECK(row.name.ends_with("_total") == (row.type == MetricType::kCounter));
    std::string_view base = row.name;
    if (row.type == MetricType::kCounter) base.remove_suffix(std::string_view("_total").size());
    CHECK(base.ends_with(row.unit));
  }
}

TEST_CASE("every metric is on the page once the server does something") {
  FakeSource source;
  FillEverything(source);
  AddHostileAccounts(source);
  const std::string page = RenderMetrics(source);
  for (const MetricRow& row : MetricTable()) {
    CAPTURE(row.name);
    const std::string help = "# HELP " + std::string(row.name) + " " + std::string(row.help);
    CHECK(HasLine(page, help));
    CHECK(SeriesOf(page, std::string(row.name)).size() >= 1);
  }
}

TEST_CASE("workers add up") {
  FakeSource source(2);
  source.workers[0]->stats.allocations[0][0].Set(3);
  source.workers[1]->stats.allocations[0][0].Set(4);
  source.workers[1]->stats.allocations[2][1].Set(1);
  source.workers[0]->stats.allocations_created.Set(10);
  source.workers[1]->stats.allocations_created.Set(5);
  source.workers[0]->stats.relayed_bytes[1][0].Set(8'050'031'004);
  source.workers[1]->stats.relayed_bytes[1][0].Set(1);
  source.workers[0]->stats.relayed_packets[1][1].Set(2);
  source.workers[0]->stats.dropped_packets[3].Set(6);
  source.workers[0]->stats.allocation_errors[508 - 300].Set(2);
  source.workers[1]->stats.errors[300 - 300].Set(1);
  source.workers[0]->stats.auth_failures[3].Set(9);
  source.workers[0]->stats.messages[3][0].Set(11);
  source.workers[0]->stats.closed[0].Set(12);
  source.workers[0]->stats.peer_connections.Set(2);
  source.workers[1]->stats.peer_connections.Set(1);
  source.workers[1]->stats.peer_connection_events[3].Set(5);
  source.workers[0]->receive_overflows[0].Set(1);
  source.workers[1]->receive_overflows[0].Set(2);
  source.workers[1]->receive_overflows[1].Set(8);
  source.workers[1]->loop_lag_ns.Set(1'250'000);
  source.workers[0]->connections[1].Set(4);
  source.workers[1]->connections[1].Set(5);
  source.workers[1]->connections_closed.Set(6);
  source.workers[0]->tls_handshakes.Set(7);
  const std::string page = RenderMetrics(source);
  for (const char* line : {
           R"(turn_allocations{transport="udp",family="ipv4"} 7)",
           R"(turn_allocations{transport="tls",family="ipv6"} 1)",
           R"(turn_allocations_created_total 15)",
           R"(turn_relay_bytes_total{)"
           R"(direction="client_to_peer",transport="tcp",region="us1"} 8050031005)",
           R"(turn_relay_packets_total{direction="peer_to_client",transport="tcp",region="us1"} 2)",
           R"(turn_relay_dropped_packets_total{reason="no_permission"} 6)",
           R"(turn_allocation_errors_total{code="508"} 2)",
           R"(turn_allocation_errors_total{code="486"} 0)",
           R"(stun_errors_total{code="300"} 1)",
           R"(turn_auth_failures_total{reason="bad_integrity"} 9)",
           R"(stun_requests_total{method="allocate",class="request"} 11)",
           R"(turn_allocations_closed_total{reason="expired"} 12)",
           R"(turn_peer_connections 3)",
           R"(turn_peer_connection_events_total{event="bound"} 5)",
           R"(turn_receive_overflows_total{listener="192.0.2.1:3478"} 3)",
           R"(turn_receive_overflows_total{listener="relay"} 8)",
           R"(turn_connections{transport="tcp"} 0)",
           R"(turn_connections{transport="tls"} 9)",
           R"(turn_connections_closed_total{reason="idle"} 6)",
           R"(turn_tls_handshakes_total{result="ok"} 7)",
           R"(turn_loop_lag_seconds{worker="0"} 0)",
           R"(turn_loop_lag_seconds{worker="1"} 0.00125)",
       }) {
    CAPTURE(line);
    CHECK(HasLine(page, line));
  }
  CHECK(page.find("turn_allocation_errors_total{code=\"301\"}") == std::string::npos);
}

TEST_CASE("methods without a meaning share one series") {
  FakeSource source;
  source.workers[0]->stats.messages[0][0].Set(1);
  source.workers[0]->stats.messages[2][0].Set(2);
  const std::string page = RenderMetrics(source);
  CHECK(HasLine(page, R"(stun_requests_total{method="unknown",class="request"} 3)"));
}

TEST_CASE("gauges, the ledger's health and the build") {
  FakeSource source;
  FillEverything(source);
  source.ledger.last_commit = WallTime(std::chrono::microseconds(1'795'000'000'250'000));
  source.ledger.unpersisted_bytes = 12;
  source.ledger.checkpoints_failed = 3;
  source.ledger.healthy = false;
  source.ledger.backup_interval_s = 86'400;
  source.ledger.last_backup = WallTime(std::chrono::microseconds(1'794'999'000'000'000));
  source.ledger.commit_buckets = {1, 0, 2};
  source.ledger.commit_sum_us = 12'500;
  source.workers[0]->stats.duration_sum_ms.Set(61'500);
  const std::string page = RenderMetrics(source);
  for (const std::string& line : Strings{
           "turn_ports_in_use 7",
           "turn_ports_limit 100",
           "turn_reservations 2",
           R"(turn_quota_utilization_ratio{quota="ports"} 0.07)",
           R"(turn_quota_utilization_ratio{quota="session_bandwidth"} 0.75)",
           "turn_metering_slots_in_use 3",
           "turn_metering_slots_limit 65536",
           "turn_metering_unpersisted_bytes 12",
           "turn_metering_checkpoints_failed_total 3",
           "turn_metering_healthy 0",
           "turn_metering_last_commit_timestamp_seconds 1795000000.25",
           "turn_metering_backup_interval_seconds 86400",
           "turn_metering_last_backup_timestamp_seconds 1794999000",
           R"(turn_metering_commit_seconds_bucket{le="0.001"} 1)",
           R"(turn_metering_commit_seconds_bucket{le="0.005"} 3)",
           R"(turn_metering_commit_seconds_bucket{le="+Inf"} 3)",
           "turn_metering_commit_seconds_sum 0.0125",
           "turn_metering_commit_seconds_count 3",
           "turn_allocation_duration_seconds_sum 61.5",
           "turn_draining 1",
           "turn_config_last_reload_successful 1",
           R"(turn_build_info{version="0.1.0",node="relay-1",region="us1",edge="ashburn"} 1)",
       }) {
    CAPTURE(line);
    CHECK(HasLine(page, line));
  }
}

TEST_CASE("without backups there is no age of one") {
  FakeSource source;
  CHECK(RenderMetrics(source).find("backup_timestamp_seconds ") == std::string::npos);
}

TEST_CASE("a limit of nothing has no utilization") {
  FakeSource source;
  CHECK(RenderMetrics(source).find("turn_quota_utilization_ratio") == std::string::npos);
}

TEST_CASE("billable bytes come from the ledger, exactly") {
  FakeSource source;
  source.ledger.billable = {{"acme", "us1", {9'007'199'254'740'993, 1}}, {"acme", "de1", {2, 0}}};
  const std::string page = RenderMetrics(source);
  for (const char* line : {
           R"(turn_billable_bytes_total{account="acme",region="us1",)"
           R"(direction="client_to_peer"} 9007199254740993)",
           R"(turn_billable_bytes_total{account="acme",region="us1",)"
           R"(direction="peer_to_client"} 1)",
           R"(turn_billable_bytes_total{account="acme",region="de1",)"
           R"(direction="client_to_peer"} 2)",
       }) {
    CAPTURE(line);
    CHECK(HasLine(page, line));
  }
}

TEST_CASE("accounts beyond the cap are summed as _other per region and direction") {
  FakeSource source;
  source.who.account_series = 2;
  source.ledger.billable = {
      {"a", "us1", {1, 10}}, {"b", "us1", {2, 20}},   {"c", "us1", {4, 40}},
      {"d", "de1", {8, 80}}, {"a", "de1", {16, 160}}, {"c", "de1", {32, 320}},
  };
  const std::string page = RenderMetrics(source);
  CHECK(SeriesOf(page, "turn_billable_bytes_total{").size() == 10);
  for (const char* line : {
           R"(turn_billable_bytes_total{account="a",region="de1",)"
           R"(direction="client_to_peer"} 16)",
           R"(turn_billable_bytes_total{account="b",region="us1",)"
           R"(direction="peer_to_client"} 20)",
           R"(turn_billable_bytes_total{account="_other",region="us1",)"
           R"(direction="client_to_peer"} 4)",
           R"(turn_billable_bytes_total{account="_other",region="us1",)"
           R"(direction="peer_to_client"} 40)",
           R"(turn_billable_bytes_total{account="_other",region="de1",)"
           R"(direction="client_to_peer"} 40)",
           R"(turn_billable_bytes_total{account="_other",region="de1",)"
           R"(direction="peer_to_client"} 400)",
       }) {
    CAPTURE(line);
    CHECK(HasLine(page, line));
  }
}

TEST_CASE("different accounts never share a series, and none passes for _other") {
  std::set<std::string> labels;
  for (const std::string& account : HostileAccounts()) labels.insert(AccountLabel(account));
  CHECK(labels.size() == HostileAccounts().size());
  CHECK_FALSE(labels.contains("_other"));

  FakeSource source;
  AddHostileAccounts(source);
  const auto series = SeriesOf(RenderMetrics(source), "turn_billable_bytes_total{");
  CHECK(series.size() == 2 * HostileAccounts().size());
  CHECK(std::set(series.begin(), series.end()).size() == series.size());
}

TEST_CASE("promtool finds nothing to complain about") {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    MESSAGE("SKIPPED: promtool is not installed (Debian package `prometheus`)");
    return;
  }
  FakeSource source(2);
  FillEverything(source);
  AddHostileAccounts(source);
  char path[] = "/tmp/turnpike_metrics_XXXXXX";
  const int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  close(fd);
  std::ofstream(path) << RenderMetrics(source);
  FILE* promtool = popen(("promtool check metrics 2>&1 <" + std::string(path)).c_str(), "r");
  REQUIRE(promtool != nullptr);
  std::string findings;
  for (int c = fgetc(promtool); c != EOF; c = fgetc(promtool)) findings += static_cast<char>(c);
  const int status = pclose(promtool);
  unlink(path);
  CHECK(findings == "");
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace turnpike
