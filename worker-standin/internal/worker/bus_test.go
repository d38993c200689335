// The worker as its callers see it, over psrpc's in-process bus: a client that starts and stops, and an IO service.
package worker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"reelkit/worker-standin/internal/config"
	"reelkit/worker-standin/internal/fault"
)

const testTopic = "w-a"

// ioService is LiveKit's side of the records.
type ioService struct {
	rpc.IOInfoServerImpl
	create, update func(attempt int) error

	mu      sync.Mutex
	created []*livekit.EgressInfo
	updates []*livekit.EgressInfo
	tries   int
}

func (s *ioService) CreateEgress(_ context.Context, info *livekit.EgressInfo) (*emptypb.Empty, error) {
	s.mu.Lock()
	s.created = append(s.created, info)
	n := len(s.created)
	s.mu.Unlock()
	if s.create != nil {
		return &emptypb.Empty{}, s.create(n)
	}
	return &emptypb.Empty{}, nil
}

func (s *ioService) UpdateEgress(_ context.Context, info *livekit.EgressInfo) (*emptypb.Empty, error) {
	s.mu.Lock()
	s.tries++
	n := s.tries
	s.mu.Unlock()
	if s.update != nil {
		if err := s.update(n); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates = append(s.updates, proto.Clone(info).(*livekit.EgressInfo))
	return &emptypb.Empty{}, nil
}

func (s *ioService) statuses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.updates))
	for _, u := range s.updates {
		names = append(names, u.Status.String())
	}
	return names
}

func (s *ioService) last() *livekit.EgressInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.updates) == 0 {
		return &livekit.EgressInfo{}
	}
	return s.updates[len(s.updates)-1]
}

type bench struct {
	t      *testing.T
	dir    string
	server *Server
	io     *ioService
	egress rpc.EgressInternalClient
	handle rpc.EgressHandlerClient
}

func newBench(t *testing.T, io *ioService, tune func(*config.Config, *config.Switches)) *bench {
	t.Helper()
	t.Setenv("LIVEKIT_CPU_REQUEST", "16")
	t.Setenv("TMPDIR", t.TempDir())
	conf, err := config.Parse("ws_url: ws://127.0.0.1:1\ncluster_id: " + testTopic + "\nio_update_timeout: 200ms\nio_selection_timeout: 100ms")
	if err != nil {
		t.Fatal(err)
	}
	switches := config.Switches{NoMedia: true, LaunchDelay: 5 * time.Millisecond, IOWatchdog: time.Minute}
	if tune != nil {
		tune(conf, &switches)
	}
	bus := psrpc.NewLocalMessageBus()
	faults, err := fault.Parse(switches.Faults)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: t.TempDir(), io: io}
	if b.server, err = New(conf, switches, faults, bus); err != nil {
		t.Fatal(err)
	}
	if io != nil {
		ioServer, err := rpc.NewIOInfoServer(io, bus)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ioServer.Kill)
	}
	go func() { _ = b.server.Run() }()
	if b.egress, err = rpc.NewEgressInternalClient(bus); err != nil {
		t.Fatal(err)
	}
	if b.handle, err = rpc.NewEgressHandlerClient(bus, psrpc.WithClientTimeout(300*time.Millisecond), psrpc.WithClientSelectTimeout(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Shutdown(true, true); b.egress.Close(); b.handle.Close() })
	for end := time.Now().Add(5 * time.Second); codeOf(b.probe()) != psrpc.InvalidArgument; {
		if time.Now().After(end) {
			t.Fatal("the worker takes no requests")
		}
	}
	return b
}

func (b *bench) request(id string) *rpc.StartEgressRequest {
	return &rpc.StartEgressRequest{EgressId: id, RoomId: "RM_1", Token: tokenUntil(time.Now().Add(time.Hour)),
		Request: &rpc.StartEgressRequest_Participant{Participant: &livekit.ParticipantEgressRequest{
			RoomName: "r", Identity: "ada",
			FileOutputs: []*livekit.EncodedFileOutput{{FileType: livekit.EncodedFileType_MP4, Filepath: filepath.Join(b.dir, id+"-{retry}.mp4")}},
		}}}
}

func tokenUntil(end time.Time) string {
	return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":"EG_other","exp":%d}`, end.Unix())) + ".sig"
}

// probe is a start that every worker refuses.
func (b *bench) probe() error {
	_, err := b.start(&rpc.StartEgressRequest{}, 200*time.Millisecond)
	return err
}

func (b *bench) start(req *rpc.StartEgressRequest, wait time.Duration) (*livekit.EgressInfo, error) {
	return b.egress.StartEgress(context.Background(), testTopic, req, psrpc.WithRequestTimeout(wait),
		psrpc.WithSelectionOpts(psrpc.SelectionOpts{AcceptFirstAvailable: true, AffinityTimeout: 200 * time.Millisecond}))
}

func (b *bench) mustStart(id string) {
	b.t.Helper()
	if _, err := b.start(b.request(id), 2*time.Second); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) live() []string {
	answers, err := b.egress.ListActiveEgress(context.Background(), "", &rpc.ListActiveEgressRequest{}, psrpc.WithRequestTimeout(100*time.Millisecond))
	if err != nil {
		b.t.Fatal(err)
	}
	var ids []string
	for a := range answers {
		ids = append(ids, a.Result.GetEgressIds()...)
	}
	return ids
}

func (b *bench) until(what string, met func() bool) {
	b.t.Helper()
	for end := time.Now().Add(5 * time.Second); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited too long for %s; told: %v", what, b.io.statuses())
		}
	}
}

func (b *bench) untilStatus(status livekit.EgressStatus) {
	b.t.Helper()
	b.until(status.String(), func() bool { return b.io.last().Status == status })
}

func (b *bench) stop(id string) (*livekit.EgressInfo, error) {
	return b.handle.StopEgress(context.Background(), id, &livekit.StopEgressRequest{EgressId: id})
}

func codeOf(err error) psrpc.ErrorCode {
	var e psrpc.Error
	if !errors.As(err, &e) {
		return psrpc.OK
	}
	return e.Code()
}

func TestAWorkerOnATopicWithADashIsStartedListedAndStopped(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	b.mustStart("EG_1")
	b.untilStatus(livekit.EgressStatus_EGRESS_ACTIVE)
	if ids := b.live(); !slices.Equal(ids, []string{"EG_1"}) {
		t.Fatalf("listed %v", ids)
	}
	if _, err := b.start(b.request("EG_1"), time.Second); codeOf(err) != psrpc.AlreadyExists {
		t.Fatalf("the same id again: %v", err)
	}
	info, err := b.stop("EG_1")
	if err != nil || info.Status != livekit.EgressStatus_EGRESS_ENDING && info.Status != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Fatalf("stop: %v, %v", info, err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_COMPLETE)
	b.until("it to be forgotten", func() bool { return len(b.live()) == 0 })
	if _, err := b.stop("EG_1"); err == nil {
		t.Fatal("nobody answers for an egress that has ended")
	}
}

func TestARetryIsEchoedAndNamed(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	req := b.request("EG_1_2")
	req.RetryCount = 2
	info, err := b.start(req, time.Second)
	if err != nil || info.RetryCount != 2 || info.FileResults[0].Filename != filepath.Join(b.dir, "EG_1_2-2.mp4") {
		t.Fatalf("got %v, %v", info, err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_ACTIVE)
	if b.io.last().RetryCount != 2 {
		t.Fatal("every record carries it")
	}
}

func TestARefusedRecordAbortsTheEgress(t *testing.T) {
	io := &ioService{create: func(int) error { return psrpc.NewErrorf(psrpc.FailedPrecondition, "superseded") }}
	b := newBench(t, io, nil)
	if _, err := b.start(b.request("EG_1"), 2*time.Second); codeOf(err) != psrpc.FailedPrecondition {
		t.Fatalf("got %v", err)
	}
	b.until("it to be forgotten", func() bool { return len(b.live()) == 0 })
	b.untilStatus(livekit.EgressStatus_EGRESS_FAILED)
	if last := b.io.last(); last.Error != "superseded" || last.ErrorCode != 403 {
		t.Fatalf("told %v", last)
	}
}

func TestAnUnansweredRecordAbortsTheEgressAtTheEndOfTheStart(t *testing.T) {
	io := &ioService{create: func(int) error { time.Sleep(2 * time.Second); return nil }}
	b := newBench(t, io, nil)
	begun := time.Now()
	if _, err := b.start(b.request("EG_1"), 500*time.Millisecond); err == nil {
		t.Fatal("no record, no egress")
	}
	b.until("it to be forgotten", func() bool { return len(b.live()) == 0 })
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Fatalf("gone after %v", took)
	}
}

func TestAnUpdateAnsweredWithAnErrorIsNeverSentAgain(t *testing.T) {
	io := &ioService{update: func(n int) error {
		if n == 1 {
			return psrpc.NewErrorf(psrpc.Internal, "no")
		}
		return nil
	}}
	b := newBench(t, io, nil)
	b.mustStart("EG_1")
	b.until("the first update", func() bool { io.mu.Lock(); defer io.mu.Unlock(); return io.tries == 1 })
	time.Sleep(time.Second)
	if _, err := b.stop("EG_1"); err != nil {
		t.Fatal(err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_COMPLETE)
	if slices.Contains(io.statuses(), "EGRESS_ACTIVE") {
		t.Fatalf("told %v", io.statuses())
	}
}

func TestSilenceDisablesTheWorkerAndTheNewestRecordArrivesLater(t *testing.T) {
	silent := true
	var mu sync.Mutex
	io := &ioService{update: func(int) error {
		mu.Lock()
		defer mu.Unlock()
		if silent {
			time.Sleep(300 * time.Millisecond)
			return psrpc.NewErrorf(psrpc.Internal, "too late to be heard")
		}
		return nil
	}}
	b := newBench(t, io, nil)
	b.mustStart("EG_1")
	b.until("it to be disabled", b.server.isDisabled)
	if _, err := b.start(b.request("EG_2"), 300*time.Millisecond); err == nil {
		t.Fatal("a worker that cannot report takes nothing")
	}
	if _, err := b.stop("EG_1"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	silent = false
	mu.Unlock()
	b.untilStatus(livekit.EgressStatus_EGRESS_COMPLETE)
	if got := io.statuses(); !slices.Equal(got, []string{"EGRESS_ACTIVE", "EGRESS_COMPLETE"}) {
		t.Fatalf("told %v", got)
	}
	b.until("it to be enabled", func() bool { return !b.server.isDisabled() })
}

func TestLongSilenceRetiresTheWorkerForGood(t *testing.T) {
	io := &ioService{update: func(int) error { time.Sleep(time.Minute); return nil }}
	b := newBench(t, io, func(_ *config.Config, s *config.Switches) { s.IOWatchdog = 100 * time.Millisecond })
	b.mustStart("EG_1")
	select {
	case <-b.server.down:
	case <-time.After(5 * time.Second):
		t.Fatal("still in service")
	}
	if !slices.Equal(b.live(), []string{"EG_1"}) {
		t.Fatal("what it records goes on")
	}
}

func TestAnExpiredTokenFailsTheEgressFast(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	req := b.request("EG_1")
	req.Token = tokenUntil(time.Now().Add(-2 * time.Minute))
	if _, err := b.start(req, time.Second); err != nil {
		t.Fatal(err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_FAILED)
	if b.io.last().Details != "End reason: Failure" || b.server.isDisabled() {
		t.Fatalf("told %v", b.io.last())
	}
}
