// Carrying out ordered failures at each step.
package worker

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/job"
)

// injected is an ordered error on its way to the record.
type injected struct{ rule *fault.Rule }

func (e *injected) Error() string { return e.rule.Message }

func (s *Server) claimFault(ctx context.Context, j *job.Job) error {
	rule := s.faults.Take(j.Info.RoomName, fault.Claim)
	if rule == nil {
		return nil
	}
	logFault(j.ID, rule)
	switch rule.Action {
	case fault.Crash:
		time.Sleep(rule.After)
		crash()
	case fault.Hang:
		<-ctx.Done()
		time.Sleep(time.Second) // the caller has given up; an answer must not overtake its timeout
		return ctx.Err()
	}
	time.Sleep(rule.After)
	return rpcError(rule)
}

// startFault runs before the room is joined. A hang comes later, where the session waits for media.
func (x *session) startFault() error {
	rule := x.server.faults.Take(x.job.Info.RoomName, fault.Start)
	if rule == nil {
		return nil
	}
	logFault(x.job.ID, rule)
	if rule.Action == fault.Hang {
		x.neverStart = true
		return nil
	}
	if !x.sleep(rule.After) {
		return nil
	}
	if rule.Action == fault.Crash {
		crash()
	}
	return &injected{rule}
}

func (x *session) activeFault() {
	rule := x.server.faults.Take(x.job.Info.RoomName, fault.Active)
	if rule == nil || !x.sleep(rule.After) {
		return
	}
	logFault(x.job.ID, rule)
	switch rule.Action {
	case fault.Crash:
		crash()
	case fault.Hang:
		// A recording that goes on is all an active session does; nothing to hold back.
	case fault.End:
		x.end(ending{reason: livekit.EndReasonCPUExhausted, details: rule.Details, result: resultStoppedCPU})
	case fault.Fail:
		x.end(ruleEnding(rule))
		if rule.Disables != nil && *rule.Disables {
			x.server.Shutdown(false, false)
		}
	}
}

// sleep waits, unless the session ends first.
func (x *session) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return !x.isEnded()
	case <-x.ended:
		return false
	}
}

func ruleEnding(rule *fault.Rule) ending {
	return ending{reason: livekit.EndReasonFailure, err: &injected{rule}, code: &rule.Code, details: rule.Details, result: resultProcessError}
}

// rpcError turns a rule into the error that a start call gets.
func rpcError(rule *fault.Rule) error {
	return psrpc.NewErrorf(rpcCode(rule.Code), "%s", rule.Message)
}

var rpcCodes = map[int32]psrpc.ErrorCode{
	http.StatusBadRequest:          psrpc.InvalidArgument,
	http.StatusForbidden:           psrpc.PermissionDenied,
	http.StatusNotFound:            psrpc.NotFound,
	http.StatusRequestTimeout:      psrpc.DeadlineExceeded,
	http.StatusConflict:            psrpc.AlreadyExists,
	http.StatusPreconditionFailed:  psrpc.FailedPrecondition,
	http.StatusTooManyRequests:     psrpc.ResourceExhausted,
	http.StatusInternalServerError: psrpc.Internal,
	http.StatusServiceUnavailable:  psrpc.Unavailable,
}

func rpcCode(httpStatus int32) psrpc.ErrorCode {
	if code, ok := rpcCodes[httpStatus]; ok {
		return code
	}
	return psrpc.Unknown
}

func crash() { os.Exit(137) }

func logFault(egressID string, rule *fault.Rule) {
	logger.Warnw("injected fault", nil, "egressID", egressID, "step", string(rule.Step), "action", string(rule.Action))
}
