// A session is one egress from acceptance to its last record:
//
//	STARTING  joined or joining, until the source delivers media
//	ACTIVE    recording, until somebody or something ends it
//	ENDING    the file is being finished
//	COMPLETE, LIMIT_REACHED, FAILED or ABORTED, and then the session is forgotten
package worker

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"

	"reelkit/worker-standin/internal/config"
	"reelkit/worker-standin/internal/job"
)

var errKilled = psrpc.NewErrorf(psrpc.PermissionDenied, "server is shutting down")

// ending says why and how a session ends. The zero value of all but reason is a clean end.
type ending struct {
	abrupt  bool   // the pipeline broke: no ENDING, and nothing is finished
	reason  string // becomes "End reason: ..."
	err     error  // the egress is FAILED with it
	limit   bool   // the egress is LIMIT_REACHED
	details string // replaces the reason
	code    *int32 // replaces the code that err would give
	result  string // for the metric; empty means completed
}

type session struct {
	server     *Server
	job        *job.Job
	updates    *updates
	tmp        string
	neverStart bool // a test ordered that media never arrives
	refused    atomic.Bool

	mu       sync.Mutex // guards job.Info and what follows
	ending   ending
	opened   chan struct{} // closed when the source is open; a stop that comes before waits for it
	ended    chan struct{}
	endOnce  sync.Once
	stopping chan struct{} // closed when the record says that the egress ends
	pid      int           // of the ffmpeg that finishes the file, for CPU accounting
	begun    time.Time
	manifest manifest
	sending  map[*job.Stream]context.CancelFunc
	streams  sync.WaitGroup
	pieces   []*pieces
	cutting  sync.WaitGroup
}

func newSession(s *Server, j *job.Job) *session {
	return &session{server: s, job: j, updates: s.reporter.updatesFor(), tmp: filepath.Join(s.tmp, j.ID), opened: make(chan struct{}), ended: make(chan struct{}), stopping: make(chan struct{})}
}

// end asks the session to stop; only the first reason counts.
func (x *session) end(e ending) {
	x.endOnce.Do(func() {
		x.mu.Lock()
		x.ending = e
		x.mu.Unlock()
		close(x.ended)
	})
}

// kill ends the session as FAILED, even one whose file is already being finished.
func (x *session) kill() {
	x.end(ending{reason: livekit.EndReasonKilled, err: errKilled, result: resultKilledShutdown})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ending.err, x.ending.result = errKilled, resultKilledShutdown
}

func (x *session) run() {
	result := resultCompleted
	defer func() { x.finish(result) }()
	if err := os.MkdirAll(x.tmp, 0o755); err != nil {
		x.fail(err)
		return
	}
	src, err := x.open()
	if err != nil {
		x.openFailed(err)
		return
	}
	close(x.opened)
	stopLimit := x.watchLimit()
	defer stopLimit()
	if !x.awaitStart(src) {
		result = x.leave(src)
		return
	}
	x.activate(src)
	x.awaitEnd(src)
	endedAt := time.Now()
	if src.replaced() {
		result = x.leave(src)
		return
	}
	x.conclude(src, endedAt)
	result = x.result()
}

// leave ends a session that makes no file. One that was pushed out by its own identity says nothing: another worker runs
// this egress now.
func (x *session) leave(src source) string {
	src.stop()
	if src.replaced() {
		logger.Warnw("another worker runs this egress now, leaving without an update", nil, "egressID", x.job.ID)
		return resultDuplicate
	}
	x.abort()
	return x.result()
}

// open joins the source; only the end of the whole worker interrupts it, as in the real one.
func (x *session) open() (source, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-x.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := x.startFault(); err != nil {
		return nil, err
	}
	return x.server.openSource(ctx, x)
}

// openFailed reports a source that could not be opened. A 500 here makes the worker distrust itself.
func (x *session) openFailed(err error) {
	if x.isEnded() {
		x.abort()
		return
	}
	x.fail(err)
	x.mu.Lock()
	distrust := x.job.Info.ErrorCode == http.StatusInternalServerError
	x.mu.Unlock()
	if f, ok := err.(*injected); ok && f.rule.Disables != nil {
		distrust = *f.rule.Disables
	}
	if distrust {
		logger.Errorw("internal error, shutting down", err, "egressID", x.job.ID)
		x.server.Shutdown(false, false)
	}
}

func (x *session) awaitStart(src source) bool {
	if x.neverStart || x.refused.Load() {
		<-x.ended
		return false
	}
	select {
	case <-src.started():
		return !x.isEnded()
	case <-x.ended:
	case <-src.ended():
		x.end(ending{reason: livekit.EndReasonSrcClosed})
	}
	return false
}

func (x *session) activate(src source) {
	x.mu.Lock()
	x.job.ResolvePath(x.identifier(), src.names())
	x.begin(src.startedAt())
	x.job.Info.UpdateStatus(livekit.EgressStatus_EGRESS_ACTIVE)
	x.updates.send(x.job.Info)
	x.mu.Unlock()
	go x.activeFault()
	x.startStreams()
	x.startPieces(src)
}

func (x *session) awaitEnd(src source) {
	select {
	case <-x.ended:
	case <-src.ended():
		x.end(ending{reason: livekit.EndReasonSrcClosed, err: src.endErr()})
	}
	<-x.ended
	x.mu.Lock()
	defer x.mu.Unlock()
	defer close(x.stopping)
	x.job.Info.SetEndReason(x.ending.reason)
	if x.ending.limit {
		x.job.Info.SetLimitReached()
		return
	}
	if x.ending.abrupt {
		return
	}
	x.job.Info.UpdateStatus(livekit.EgressStatus_EGRESS_ENDING)
	if !src.replaced() {
		x.updates.send(x.job.Info)
	}
}

// abort ends a session that never recorded.
func (x *session) abort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.ending
	switch {
	case e.err != nil:
		x.setFailed(e)
	case e.limit:
		x.job.Info.SetAborted(livekit.MsgLimitReachedWithoutStart)
	default:
		x.job.Info.SetEndReason(e.reason)
		x.job.Info.SetAborted(livekit.MsgStoppedBeforeStarted)
	}
	x.updates.send(x.job.Info)
	close(x.stopping)
}

func (x *session) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := ending{reason: livekit.EndReasonFailure, err: err}
	if f, ok := err.(*injected); ok {
		e.code, e.details = &f.rule.Code, f.rule.Details
	}
	x.setFailed(e)
	x.updates.send(x.job.Info)
	close(x.stopping)
}

// setFailed expects the lock.
func (x *session) setFailed(e ending) {
	if e.reason != "" {
		x.job.Info.SetEndReason(e.reason)
	}
	x.job.Info.SetFailed(e.err)
	if e.code != nil {
		x.job.Info.ErrorCode = *e.code
	}
	if e.details != "" {
		x.job.Info.Details = e.details
	}
}

// launchFailed is a handler that never came up: the record, if there is one, says so.
func (x *session) launchFailed(err error, stored bool) {
	if stored {
		x.mu.Lock()
		x.job.Info.Status = livekit.EgressStatus_EGRESS_FAILED
		x.job.Info.Error = err.Error()
		x.job.Info.ErrorCode = http.StatusInternalServerError
		x.job.Info.UpdatedAt = time.Now().UnixNano()
		x.job.Info.EndedAt = x.job.Info.UpdatedAt
		x.updates.send(x.job.Info)
		x.mu.Unlock()
	}
	x.finish(resultProcessError)
}

// abandon kills an egress whose record could not be created. Like the real worker's handler it hears of it only when its
// source is open, and sends one last record nevertheless.
func (x *session) abandon(cause error) {
	x.refused.Store(true)
	select {
	case <-x.opened:
	case <-x.ended:
	}
	x.end(ending{reason: livekit.EndReasonKilled, err: psrpc.NewErrorf(psrpc.PermissionDenied, "%s", cause.Error()), result: resultAborted})
}

func (x *session) finish(result string) {
	x.end(ending{})
	x.updates.close()
	x.server.forget(x, result)
}

// watchLimit starts the session limit; the returned function stops it.
func (x *session) watchLimit() func() {
	limit := sessionLimit(x.server.conf.SessionLimits, x.job)
	if limit <= 0 {
		return func() {}
	}
	t := time.AfterFunc(limit, func() {
		x.end(ending{reason: livekit.EndReasonLimitReached, limit: true})
	})
	return func() { t.Stop() }
}

// sessionLimit is the smallest limit of the outputs there are; zero means none.
func sessionLimit(l config.SessionLimits, j *job.Job) time.Duration {
	limit := time.Duration(0)
	for _, o := range []struct {
		has bool
		max time.Duration
	}{
		{j.Path != nil, l.FileOutputMaxDuration},
		{j.Streams != nil, l.StreamOutputMaxDuration},
		{j.Segments != nil, l.SegmentOutputMaxDuration},
		{len(j.Images) > 0, l.ImageOutputMaxDuration},
	} {
		if o.has && o.max > 0 && (limit == 0 || o.max < limit) {
			limit = o.max
		}
	}
	return limit
}

func (x *session) isEnded() bool {
	select {
	case <-x.ended:
		return true
	default:
		return false
	}
}

func (x *session) result() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ending.result != "" {
		return x.ending.result
	}
	return resultCompleted
}

func (x *session) snapshot() *livekit.EgressInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	return proto.Clone(x.job.Info).(*livekit.EgressInfo)
}

// identifier names the file when the request gave no name.
func (x *session) identifier() string {
	switch x.job.Kind {
	case job.Participant:
		return x.job.Want.Identity
	case job.Track:
		return x.job.Want.TrackID
	}
	return x.job.Info.RoomName
}
