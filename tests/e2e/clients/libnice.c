/* Two agents of libnice that meet at the relay, for record.py: libnice ADDRESS PORT USERNAME
 * PASSWORD. A third one asks for its mapped address alone. */
#include <agent.h>
#include <stdio.h>
#include <stdlib.h>

static GMainLoop *loop;
static NiceAgent *agents[3];
static guint streams[3];
static int gathered, ready, received, closed;

static void Fail(const char *what) {
  fprintf(stderr, "libnice: %s\n", what);
  exit(1);
}

static void OnClosed(GObject *agent, GAsyncResult *result, gpointer data) {
  (void)agent, (void)result, (void)data;
  if (++closed == 3) g_main_loop_quit(loop);
}

static void OnReceive(NiceAgent *agent, guint stream, guint component, guint size, gchar *bytes,
                      gpointer data) {
  (void)agent, (void)stream, (void)component, (void)size, (void)bytes, (void)data;
  if (++received != 4) return;
  for (int i = 0; i < 3; ++i) nice_agent_close_async(agents[i], OnClosed, NULL);
}

static void Exchange(int from, int to) {
  gchar *ufrag = NULL, *password = NULL;
  nice_agent_get_local_credentials(agents[from], streams[from], &ufrag, &password);
  nice_agent_set_remote_credentials(agents[to], streams[to], ufrag, password);
  GSList *candidates = nice_agent_get_local_candidates(agents[from], streams[from], 1);
  if (nice_agent_set_remote_candidates(agents[to], streams[to], 1, candidates) < 1) {
    Fail("no candidates");
  }
}

static void OnGathered(NiceAgent *agent, guint stream, gpointer data) {
  (void)agent, (void)stream, (void)data;
  if (++gathered != 3) return;
  Exchange(0, 1);
  Exchange(1, 0);
}

static gboolean SendOne(gpointer data) {
  static int sent;
  (void)data;
  for (int i = 0; i < 2; ++i) nice_agent_send(agents[i], streams[i], 1, 5, "hello");
  return ++sent < 20 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void OnState(NiceAgent *agent, guint stream, guint component, guint state, gpointer data) {
  (void)agent, (void)stream, (void)component, (void)data;
  if (state == NICE_COMPONENT_STATE_FAILED) Fail("connectivity checks failed");
  /* Channels are bound by now, or soon. */
  if (state == NICE_COMPONENT_STATE_READY && ++ready == 2) g_timeout_add(100, SendOne, NULL);
}

static gboolean OnTimeout(gpointer data) {
  (void)data;
  Fail("no call within 30 s");
  return G_SOURCE_REMOVE;
}

int main(int argc, char **argv) {
  if (argc != 5) Fail("wrong arguments");
  const guint port = (guint)atoi(argv[2]);
  loop = g_main_loop_new(NULL, FALSE);
  g_timeout_add_seconds(30, OnTimeout, NULL);
  NiceAddress local;
  nice_address_init(&local);
  nice_address_set_from_string(&local, argv[1]);
  for (int i = 0; i < 3; ++i) {
    NiceAgent *agent = agents[i] = nice_agent_new(NULL, NICE_COMPATIBILITY_RFC5245);
    g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, "controlling-mode", i == 0, NULL);
    if (i < 2) {
      g_object_set(agent, "force-relay", TRUE, NULL);
    } else {
      g_object_set(agent, "stun-server", argv[1], "stun-server-port", port, NULL);
    }
    nice_agent_add_local_address(agent, &local);
    streams[i] = nice_agent_add_stream(agent, 1);
    if (i < 2) {
      nice_agent_set_relay_info(agent, streams[i], 1, argv[1], port, argv[3], argv[4],
                                NICE_RELAY_TYPE_TURN_UDP);
    }
    g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(OnGathered), NULL);
    g_signal_connect(agent, "component-state-changed", G_CALLBACK(OnState), NULL);
    nice_agent_attach_recv(agent, streams[i], 1, NULL, OnReceive, NULL);
  }
  for (int i = 0; i < 3; ++i) nice_agent_gather_candidates(agents[i], streams[i]);
  g_main_loop_run(loop);
  return 0;
}
