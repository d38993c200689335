// Package worker is the egress worker on the wire: it takes requests over psrpc, runs one session for
// each, and drains. What a session records is the business of media and compose.
package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"

	"reelkit/worker-standin/internal/admission"
	"reelkit/worker-standin/internal/compose"
	"reelkit/worker-standin/internal/config"
	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/job"
)

const launchTimeout = 10 * time.Second // what the real worker waits for its handler process

var (
	errShuttingDown  = psrpc.NewErrorf(psrpc.Unavailable, "server is shutting down")
	errAlreadyExists = psrpc.NewErrorf(psrpc.AlreadyExists, "egress already exists")
	errNotEnoughCPU  = psrpc.NewErrorf(psrpc.Unavailable, "not enough CPU")
	errLaunch        = psrpc.NewErrorf(psrpc.Internal, "handler failed to start")
	errNotFound      = psrpc.NewErrorf(psrpc.NotFound, "egress not found")
)

// Server is one worker.
type Server struct {
	conf     *config.Config
	switches config.Switches
	faults   *fault.Set
	gate     *admission.Gate
	usage    *usage
	reporter *Reporter
	metrics  *metrics
	ffmpeg   *compose.Runner
	rooms    *roomWatch
	tmp      string

	requests rpc.EgressInternalServer
	handlers rpc.EgressHandlerServer

	mu          sync.Mutex
	active      int
	idle        *sync.Cond
	sessions    map[string]*session
	disabled    bool
	terminating bool
	down        chan struct{}
}

// New wires a worker to the bus. It takes no request before Run.
func New(conf *config.Config, switches config.Switches, faults *fault.Set, bus psrpc.MessageBus) (*Server, error) {
	s := &Server{conf: conf, switches: switches, faults: faults, ffmpeg: compose.NewRunner(), sessions: map[string]*session{}, down: make(chan struct{})}
	s.idle = sync.NewCond(&s.mu)
	var err error
	if s.tmp, err = newTempDir(os.TempDir(), os.Getpid()); err != nil {
		return nil, err
	}
	if s.usage, err = newUsage(); err != nil {
		return nil, err
	}
	s.gate = admission.New(conf.CPUCost, s.usage.total, rssGB, time.Now)
	if s.reporter, err = NewReporter(conf, switches.IOWatchdog, bus); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(s)
	s.rooms = newRoomWatch(conf)
	if s.requests, err = rpc.NewEgressInternalServer(s, bus); err != nil {
		return nil, err
	}
	if s.handlers, err = rpc.NewEgressHandlerServer(handlerAPI{s}, bus); err != nil {
		return nil, err
	}
	return s, s.requests.RegisterListActiveEgressTopic("")
}

// Run takes requests until Shutdown, then waits for the last recording.
func (s *Server) Run() error {
	if err := s.checkCores(); err != nil {
		return err
	}
	go s.usage.watch(s)
	if err := s.requests.RegisterStartEgressTopic(s.conf.ClusterID); err != nil {
		return fmt.Errorf("could not register for requests: %w", err)
	}
	logger.Infow("service ready", "cpus", s.usage.total())
	select {
	case <-s.down:
	case <-s.reporter.Lost():
		logger.Errorw("LiveKit has not answered for too long, shutting down", nil)
		s.Shutdown(false, false)
	}
	s.drain()
	logger.Infow("service stopped")
	return nil
}

// Shutdown stops taking requests; kill ends what runs, terminating is what metrics show after a signal.
func (s *Server) Shutdown(terminating, kill bool) {
	s.mu.Lock()
	s.terminating = s.terminating || terminating
	first := !s.disabled
	s.disabled = true
	running := make([]*session, 0, len(s.sessions))
	for _, x := range s.sessions {
		running = append(running, x)
	}
	s.mu.Unlock()
	if first {
		s.requests.DeregisterStartEgressTopic(s.conf.ClusterID)
		close(s.down)
	}
	if kill {
		for _, x := range running {
			x.kill()
		}
	}
}

func (s *Server) drain() {
	logger.Infow("draining")
	s.mu.Lock()
	for s.active > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()
	s.requests.Shutdown()
	s.handlers.Shutdown()
	s.reporter.Drain()
	s.usage.stop()
	s.rooms.stop()
	_ = os.RemoveAll(s.tmp)
}

// StartEgressAffinity says how much this worker wants a request: busy workers first, idle ones second.
func (s *Server) StartEgressAffinity(_ context.Context, req *rpc.StartEgressRequest) float32 {
	if s.isDisabled() || !s.gate.Fits(admission.CostOf(s.conf.CPUCost, req), req.EstimatedCpu) {
		return -1
	}
	if s.isIdle() {
		return 0.5
	}
	return 1
}

// ListActiveEgress names everything that runs here.
func (s *Server) ListActiveEgress(context.Context, *rpc.ListActiveEgressRequest) (*rpc.ListActiveEgressResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.sessions))
	for id := range s.sessions {
		ids = append(ids, id)
	}
	return &rpc.ListActiveEgressResponse{EgressIds: ids}, nil
}

// StartEgress accepts one request: check, book, validate, store the record and launch at the same time.
func (s *Server) StartEgress(ctx context.Context, req *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	s.addActive(1)
	x, err := s.accept(ctx, req)
	if err != nil {
		s.addActive(-1)
		return nil, err
	}
	return s.launch(ctx, x)
}

func (s *Server) accept(ctx context.Context, req *rpc.StartEgressRequest) (*session, error) {
	if s.isDisabled() {
		return nil, errShuttingDown
	}
	if s.session(req.EgressId) != nil {
		return nil, errAlreadyExists
	}
	switch s.gate.Enter(req.EgressId, admission.CostOf(s.conf.CPUCost, req), req.EstimatedCpu) {
	case admission.Full:
		return nil, errNotEnoughCPU
	case admission.Duplicate:
		return nil, errAlreadyExists
	}
	logger.Infow("request received", "egressID", req.EgressId)
	j, err := job.Parse(s.conf, req, time.Now())
	if err == nil {
		err = s.claimFault(ctx, j)
	}
	if err != nil {
		s.gate.Leave(req.EgressId)
		return nil, err
	}
	logger.Infow("request validated", "egressID", j.ID, "requestType", string(j.Kind), "room", j.Info.RoomName)
	return newSession(s, j), nil
}

// launch mirrors the real order: the record is created while the handler starts, and both must succeed. The handler does
// not wait for the record: it joins the room even when the record is refused afterwards.
func (s *Server) launch(ctx context.Context, x *session) (*livekit.EgressInfo, error) {
	answer := proto.Clone(x.job.Info).(*livekit.EgressInfo)
	s.add(x)
	created := make(chan error, 1)
	go func() { created <- s.reporter.Create(ctx, answer) }()
	launchErr := s.startHandler(x)
	if launchErr == nil {
		go x.run()
	}
	createErr := <-created
	if createErr != nil {
		x.updates.drop()
	}
	defer x.updates.start()
	switch {
	case launchErr != nil:
		x.launchFailed(launchErr, createErr == nil)
		return nil, launchErr
	case createErr != nil:
		logger.Errorw("could not create the record, aborting", createErr, "egressID", x.job.ID)
		x.abandon(createErr)
		return nil, createErr
	}
	return answer, nil
}

func (s *Server) startHandler(x *session) error {
	if err := s.registerHandler(x.job.ID); err != nil {
		return err
	}
	time.Sleep(s.switches.LaunchDelay)
	rule := s.faults.Take(x.job.Info.RoomName, fault.Launch)
	if rule == nil {
		return nil
	}
	logFault(x.job.ID, rule)
	time.Sleep(rule.After)
	switch rule.Action {
	case fault.Crash:
		crash()
	case fault.Hang:
		time.Sleep(launchTimeout)
		return errLaunch
	}
	return rpcError(rule)
}

func (s *Server) checkCores() error {
	c := s.conf.CPUCost
	all := []float64{c.RoomComposite, c.AudioRoomComposite, c.SDKAudioRoomComposite, c.Web, c.AudioWeb, c.Participant, c.TrackComposite, c.Track}
	least, most := all[0], all[0]
	for _, v := range all {
		least, most = min(least, v), max(most, v)
	}
	total := s.usage.total()
	if total < least {
		return fmt.Errorf("not enough cpu: the cheapest request costs %.2f cores, this worker has %.2f", least, total)
	}
	if total < most {
		logger.Errorw("not enough cpu for some egress types", nil, "minimumCpu", most, "available", total)
	}
	return nil
}

func (s *Server) add(x *session) {
	s.mu.Lock()
	s.sessions[x.job.ID] = x
	s.mu.Unlock()
	s.metrics.started(x.job.Kind)
}

// forget is the end of a session: its topics, its charge and its place are free again.
func (s *Server) forget(x *session, result string) {
	s.deregisterHandler(x.job.ID)
	s.gate.Leave(x.job.ID)
	s.metrics.ended(x.job.Kind, result)
	_ = os.RemoveAll(filepath.Join(s.tmp, x.job.ID))
	s.mu.Lock()
	delete(s.sessions, x.job.ID)
	s.mu.Unlock()
	s.addActive(-1)
}

func (s *Server) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *Server) addActive(n int) {
	s.mu.Lock()
	s.active += n
	s.mu.Unlock()
	s.idle.Broadcast()
}

func (s *Server) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active == 0
}

func (s *Server) isDisabled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disabled || !s.reporter.Healthy()
}

func (s *Server) isTerminating() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminating
}
