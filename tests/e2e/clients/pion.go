// One call of pion's TURN client, for record.py: pion SERVER USERNAME PASSWORD PEER.
package main

import (
	"log"
	"net"
	"os"
	"time"

	"github.com/pion/turn/v2"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	server, username, password, peer := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(err)
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server,
		TURNServerAddr: server,
		Conn:           socket,
		Username:       username,
		Password:       password,
	})
	must(err)
	must(client.Listen())
	_, err = client.SendBindingRequest()
	must(err)
	relay, err := client.Allocate()
	must(err)
	to, err := net.ResolveUDPAddr("udp4", peer)
	must(err)
	// The first payloads go out as Send indications, until the channel is bound.
	echo := make([]byte, 1500)
	for i := 0; i < 10; i++ {
		_, err = relay.WriteTo([]byte("hello from pion"), to)
		must(err)
		must(relay.SetReadDeadline(time.Now().Add(5 * time.Second)))
		_, _, err = relay.ReadFrom(echo)
		must(err)
		time.Sleep(50 * time.Millisecond)
	}
	must(relay.Close())
	time.Sleep(200 * time.Millisecond) // it does not wait for the answer to its last Refresh
	client.Close()
}
