// Reporter tells LiveKit what becomes of each egress, in order, and does not give up while nobody answers.
// It decides nothing about an egress.
package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"

	"reelkit/worker-standin/internal/config"
)

const (
	firstRetry   = 500 * time.Millisecond
	longestRetry = time.Minute
)

// Reporter is the worker's line to LiveKit's IO service.
type Reporter struct {
	client        rpc.IOInfoClient
	createTimeout time.Duration
	updateTimeout time.Duration

	patience time.Duration // how long LiveKit may be silent before the worker goes

	mu       sync.Mutex
	watchdog *time.Timer // runs while updates get no answer
	lost     chan struct{}
	lostOnce sync.Once
	pending  sync.WaitGroup
}

// NewReporter opens the line.
func NewReporter(conf *config.Config, patience time.Duration, bus psrpc.MessageBus) (*Reporter, error) {
	client, err := rpc.NewIOInfoClient(bus, psrpc.WithClientSelectTimeout(conf.IOSelectionTimeout))
	if err != nil {
		return nil, err
	}
	return &Reporter{client: client, createTimeout: conf.IOCreateTimeout, updateTimeout: conf.IOUpdateTimeout, patience: patience, lost: make(chan struct{})}, nil
}

// Create stores the first record of an egress.
func (r *Reporter) Create(ctx context.Context, info *livekit.EgressInfo) error {
	_, err := r.client.CreateEgress(ctx, info, psrpc.WithRequestTimeout(r.createTimeout))
	return err
}

// Healthy is false while updates get no answer.
func (r *Reporter) Healthy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watchdog == nil
}

// Lost is closed when LiveKit has not answered for so long that the worker should go.
func (r *Reporter) Lost() <-chan struct{} { return r.lost }

// Drain waits until every update has been delivered, or the line is lost.
func (r *Reporter) Drain() {
	done := make(chan struct{})
	go func() { r.pending.Wait(); close(done) }()
	select {
	case <-done:
	case <-r.lost:
	}
}

// updates carries the records of one egress to LiveKit in order. A record that still waits when the next one comes is
// replaced by it, as in the real worker: only the newest state matters.
type updates struct {
	reporter *Reporter

	mu      sync.Mutex
	waiting *livekit.EgressInfo
	closed  bool
	wake    chan struct{}
}

func (r *Reporter) updatesFor() *updates {
	return &updates{reporter: r, wake: make(chan struct{}, 1)}
}

// send queues a copy; the caller goes on changing its own.
func (u *updates) send(info *livekit.EgressInfo) {
	u.put(proto.Clone(info).(*livekit.EgressInfo), false)
}

// drop forgets what waits: the record it belongs to was never stored.
func (u *updates) drop() { u.put(nil, false) }

func (u *updates) close() {
	u.mu.Lock()
	waiting := u.waiting
	u.mu.Unlock()
	u.put(waiting, true)
}

func (u *updates) put(info *livekit.EgressInfo, last bool) {
	u.mu.Lock()
	u.waiting, u.closed = info, u.closed || last
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func (u *updates) take() (info *livekit.EgressInfo, closed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	info, u.waiting = u.waiting, nil
	return info, u.closed
}

// start begins delivery; until then the newest record waits.
func (u *updates) start() {
	u.reporter.pending.Add(1)
	go func() {
		defer u.reporter.pending.Done()
		for {
			info, closed := u.take()
			switch {
			case info != nil:
				u.reporter.deliver(info)
			case closed:
				return
			default:
				<-u.wake
			}
		}
	}()
}

// deliver tries for as long as nobody answers. An answer that is an error ends it: the record is never sent again.
func (r *Reporter) deliver(info *livekit.EgressInfo) {
	for wait := firstRetry; ; wait = min(2*wait, longestRetry) {
		_, err := r.client.UpdateEgress(context.Background(), info, psrpc.WithRequestTimeout(r.updateTimeout))
		if err == nil {
			r.answered()
			logUpdate(info)
			return
		}
		if !errors.Is(err, psrpc.ErrRequestTimedOut) && !errors.Is(err, psrpc.ErrNoResponse) {
			logger.Errorw("update refused, dropped", err, "egressID", info.EgressId)
			return
		}
		logger.Warnw("no answer to an update, trying again", err, "egressID", info.EgressId, "in", wait.String())
		r.unanswered()
		time.Sleep(wait)
	}
}

func (r *Reporter) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watchdog == nil {
		return
	}
	r.watchdog.Stop()
	r.watchdog = nil
	logger.Infow("LiveKit answers again")
}

// unanswered makes the worker unhealthy; when that lasts, it is lost for good, even if LiveKit comes back.
func (r *Reporter) unanswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watchdog == nil {
		r.watchdog = time.AfterFunc(r.patience, func() { r.lostOnce.Do(func() { close(r.lost) }) })
	}
}

func logUpdate(info *livekit.EgressInfo) {
	requestType, outputType := egress.GetTypes(info.Request)
	logger.Infow(strings.ToLower(info.Status.String()),
		"egressID", info.EgressId, "requestType", requestType, "outputType", outputType,
		"error", info.Error, "code", info.ErrorCode, "details", info.Details)
}
