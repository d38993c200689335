// Reporter tells LiveKit what becomes of each egress, in order, and does not give up while nobody answers.
// It decides nothing about an egress.
package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
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
	firstRetry     = 500 * time.Millisecond
	longestRetry   = time.Minute
	unhealthyLimit = 10 * time.Minute
	updateBacklog  = 32
)

// Reporter is the worker's line to LiveKit's IO service.
type Reporter struct {
	client        rpc.IOInfoClient
	createTimeout time.Duration
	updateTimeout time.Duration

	unhealthySince atomic.Int64 // unix nanoseconds, 0 while LiveKit answers
	lost           chan struct{}
	lostOnce       sync.Once
	pending        sync.WaitGroup
}

// NewReporter opens the line.
func NewReporter(conf *config.Config, bus psrpc.MessageBus) (*Reporter, error) {
	client, err := rpc.NewIOInfoClient(bus, psrpc.WithClientSelectTimeout(conf.IOSelectionTimeout))
	if err != nil {
		return nil, err
	}
	return &Reporter{client: client, createTimeout: conf.IOCreateTimeout, updateTimeout: conf.IOUpdateTimeout, lost: make(chan struct{})}, nil
}

// Create stores the first record of an egress.
func (r *Reporter) Create(ctx context.Context, info *livekit.EgressInfo) error {
	_, err := r.client.CreateEgress(ctx, info, psrpc.WithRequestTimeout(r.createTimeout))
	return err
}

// Healthy is false while updates get no answer.
func (r *Reporter) Healthy() bool { return r.unhealthySince.Load() == 0 }

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

// updates carries the records of one egress to LiveKit in order.
type updates struct {
	reporter *Reporter
	queue    chan *livekit.EgressInfo
}

func (r *Reporter) updatesFor() *updates {
	return &updates{reporter: r, queue: make(chan *livekit.EgressInfo, updateBacklog)}
}

// send queues a copy; the caller goes on changing its own.
func (u *updates) send(info *livekit.EgressInfo) {
	u.queue <- proto.Clone(info).(*livekit.EgressInfo)
}

// start begins delivery; until then records only queue up.
func (u *updates) start() {
	u.reporter.pending.Add(1)
	go func() {
		defer u.reporter.pending.Done()
		for info := range u.queue {
			u.reporter.deliver(info)
		}
	}()
}

func (u *updates) close() { close(u.queue) }

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
		if r.unanswered() {
			return
		}
		time.Sleep(wait)
	}
}

func (r *Reporter) answered() {
	if r.unhealthySince.Swap(0) != 0 {
		logger.Infow("LiveKit answers again")
	}
}

// unanswered notes the silence and reports whether it has lasted too long.
func (r *Reporter) unanswered() bool {
	now := time.Now().UnixNano()
	r.unhealthySince.CompareAndSwap(0, now)
	if time.Duration(now-r.unhealthySince.Load()) < unhealthyLimit {
		return false
	}
	r.lostOnce.Do(func() { close(r.lost) })
	return true
}

func logUpdate(info *livekit.EgressInfo) {
	requestType, outputType := egress.GetTypes(info.Request)
	logger.Infow(strings.ToLower(info.Status.String()),
		"egressID", info.EgressId, "requestType", requestType, "outputType", outputType,
		"error", info.Error, "code", info.ErrorCode, "details", info.Details)
}
