// psrpc-peer is the other end of the bus in contract tests: livekit/protocol's generated clients and servers on the newest psrpc,
// where LiveKit and the workers that the other tests run are on an older one. It answers what it is asked, and records nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"github.com/livekit/psrpc/pkg/bus/redisbus"
	"github.com/redis/go-redis/v9"
)

const usage = `usage: psrpc-peer [-redis host:port] [-compress] serve <topic> <egress id>
       psrpc-peer [-redis host:port] [-compress] start|stop|create <egress id>`

func main() {
	address := flag.String("redis", "127.0.0.1:6379", "")
	compress := flag.Bool("compress", false, "gzip everything that is published")
	flag.Parse()
	options := []psrpc.BusOption{}
	if *compress {
		options = append(options, psrpc.WithBusCompression(psrpc.CompressionOpts{Quality: 6, Threshold: 1}))
	}
	bus := redisbus.New(redis.NewClient(&redis.Options{Addr: *address}), options...)
	if err := run(bus, flag.Args()); err != nil {
		var known psrpc.Error
		if errors.As(err, &known) {
			fmt.Println("error", known.Code(), known.Error())
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "psrpc-peer:", err)
		os.Exit(1)
	}
}

func run(bus psrpc.MessageBus, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		return serve(bus, args[1], args[2])
	case len(args) == 2:
		return call(bus, args[0], args[1])
	}
	return errors.New(usage)
}

func call(bus psrpc.MessageBus, method, egressID string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch method {
	case "start":
		client, err := rpc.NewEgressClient(rpc.ClientParams{Bus: bus})
		if err != nil {
			return err
		}
		info, err := client.StartEgress(ctx, "", &rpc.StartEgressRequest{EgressId: egressID, RoomId: padding})
		return report(info, err)
	case "stop":
		client, err := rpc.NewEgressHandlerClient(bus)
		if err != nil {
			return err
		}
		info, err := client.StopEgress(ctx, egressID, &livekit.StopEgressRequest{EgressId: egressID})
		return report(info, err)
	case "create":
		client, err := rpc.NewIOInfoClient(bus)
		if err != nil {
			return err
		}
		_, err = client.CreateEgress(ctx, &livekit.EgressInfo{EgressId: egressID, RoomName: padding})
		return report(&livekit.EgressInfo{EgressId: egressID}, err)
	}
	return errors.New(usage)
}

// Long enough that compression pays: psrpc leaves alone what gzip would not make smaller.
var padding = strings.Repeat("0", 512)

func report(info *livekit.EgressInfo, err error) error {
	if err != nil {
		return err
	}
	fmt.Println("ok", info.EgressId, info.Status)
	return nil
}

type server struct {
	rpc.UnimplementedEgressInternalServer
	rpc.UnimplementedEgressHandlerServer
}

// serve is a worker that takes everything and an egress that can be stopped, until it is killed.
func serve(bus psrpc.MessageBus, topic, egressID string) error {
	requests, err := rpc.NewEgressInternalServer(server{}, bus)
	if err != nil {
		return err
	}
	skip := psrpc.WithServerSkipClaim(func() bool { return true })
	handler, err := rpc.NewEgressHandlerServer(server{}, bus, skip)
	if err != nil {
		return err
	}
	if err := errors.Join(
		requests.RegisterStartEgressTopic(topic),
		requests.RegisterListActiveEgressTopic(""),
		handler.RegisterStopEgressTopic(egressID),
	); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

func (server) StartEgress(_ context.Context, request *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	if len(request.ProtoReflect().GetUnknown()) == 0 {
		return nil, psrpc.NewErrorf(psrpc.InvalidArgument, "the unknown field did not arrive")
	}
	return answer(request.EgressId), nil
}

func (server) StartEgressAffinity(context.Context, *rpc.StartEgressRequest) float32 { return 0.5 }

func (server) ListActiveEgress(context.Context, *rpc.ListActiveEgressRequest) (*rpc.ListActiveEgressResponse, error) {
	return &rpc.ListActiveEgressResponse{EgressIds: []string{padding}}, nil
}

func (server) StopEgress(_ context.Context, request *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	return answer(request.EgressId), nil
}

func answer(egressID string) *livekit.EgressInfo {
	return &livekit.EgressInfo{EgressId: egressID, RoomName: padding}
}
