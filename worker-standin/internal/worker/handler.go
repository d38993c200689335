// The calls that reach one running egress: stop it, or change its streams.
package worker

import (
	"context"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"
)

// handlerAPI serves the per-egress topics of every session.
type handlerAPI struct{ server *Server }

var errNotStreaming = psrpc.NewErrorf(psrpc.InvalidArgument, "UpdateStream called on non-streaming egress")

// StopEgress ends an egress and answers with its record in ENDING. The real worker does not even look at a stop while its
// source opens, which takes 30 s when a participant is not there. Of one that arrives after that and before media did, the
// handler's answer, ABORTED, races with the handler's end: it got out in 6 of 10, always where a browser has to be closed first.
// Here the end always wins without a browser, and the caller finds the record ABORTED.
func (h handlerAPI) StopEgress(ctx context.Context, req *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	x := h.server.session(req.EgressId)
	if x == nil {
		return nil, errNotFound
	}
	select {
	case <-x.opened:
	case <-x.ended:
	}
	status := x.snapshot().Status
	if status == livekit.EgressStatus_EGRESS_FAILED {
		return nil, errNotFound
	}
	starting := status == livekit.EgressStatus_EGRESS_STARTING
	x.end(ending{reason: livekit.EndReasonAPI})
	if starting && !x.drawn() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	x.awaitStopped(ctx)
	return x.snapshot(), nil
}

// drawn is true of what the real worker records with a browser.
func (x *session) drawn() bool {
	return x.snapshot().SourceType == livekit.EgressSourceType_EGRESS_SOURCE_TYPE_WEB
}

// UpdateStream answers with the record, or with every error there was although the rest was done.
func (h handlerAPI) UpdateStream(ctx context.Context, req *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	x := h.server.session(req.EgressId)
	if x == nil {
		return nil, errNotFound
	}
	if !x.awaitOpen() {
		return nil, errNotFound
	}
	if x.job.Streams == nil {
		return nil, errNotStreaming
	}
	if err := x.changeStreams(req); err != nil {
		return nil, err
	}
	if x.outputsLeft() == 0 {
		x.awaitStopped(ctx)
	}
	return x.snapshot(), nil
}

// awaitOpen returns false when the source was never opened.
func (x *session) awaitOpen() bool {
	select {
	case <-x.opened:
		return true
	case <-x.ended:
	}
	select {
	case <-x.opened:
		return true
	default:
		return false
	}
}

func (x *session) outputsLeft() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.job.OutputCount()
}

func (h handlerAPI) UpdateEgress(_ context.Context, req *livekit.UpdateEgressRequest) (*livekit.EgressInfo, error) {
	if h.server.session(req.EgressId) == nil {
		return nil, errNotFound
	}
	return nil, errNotStreaming
}

// awaitStopped returns once the record says that the egress ends.
func (x *session) awaitStopped(ctx context.Context) {
	select {
	case <-x.stopping:
	case <-ctx.Done():
	}
}

func (s *Server) registerHandler(id string) error {
	if err := s.handlers.RegisterUpdateStreamTopic(id); err != nil {
		return err
	}
	return s.handlers.RegisterStopEgressTopic(id)
}

func (s *Server) deregisterHandler(id string) {
	s.handlers.DeregisterUpdateStreamTopic(id)
	s.handlers.DeregisterStopEgressTopic(id)
}
