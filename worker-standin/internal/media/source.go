// A room as a source: who is subscribed, when media begins, and when the source is gone.
package media

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"

	"reelkit/worker-standin/internal/job"
)

const (
	appearTimeout = 30 * time.Second // the real worker waits this long for a named participant or track
	pollInterval  = 100 * time.Millisecond
	comeBackGrace = 25 * time.Second // after our own reconnect, the others need time to do the same
)

// Room is a joined room that is being recorded.
type Room struct {
	job  *job.Job
	dir  string
	room *lksdk.Room

	mu        sync.Mutex
	writers   map[*trackWriter]bool
	finished  []Recorded
	startedAt time.Time
	closed    bool
	endErr    error
	silent    bool
	wasCut    time.Time

	started chan struct{}
	ended   chan struct{}
	endOnce sync.Once
	names   map[string]string
}

// Join enters the room and waits for what the job names. The error is the one the egress fails with.
func Join(ctx context.Context, j *job.Job, dir string) (*Room, error) {
	r := &Room{job: j, dir: dir, writers: map[*trackWriter]bool{}, started: make(chan struct{}), ended: make(chan struct{}), names: map[string]string{}}
	r.room = lksdk.NewRoom(r.callbacks())
	if err := r.room.JoinWithContextAndToken(ctx, j.WSURL, j.Token, lksdk.WithAutoSubscribe(false)); err != nil {
		return nil, err
	}
	if err := r.awaitNamed(ctx); err != nil {
		r.Close()
		return nil, err
	}
	r.subscribeAll()
	return r, nil
}

// Started is closed when the first packet of media arrives.
func (r *Room) Started() <-chan struct{} { return r.started }

// Ended is closed when the source is gone.
func (r *Room) Ended() <-chan struct{} { return r.ended }

// StartedAt is the zero of the recording's clock.
func (r *Room) StartedAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.startedAt
}

// EndErr says why the source ended, when it did not end by itself.
func (r *Room) EndErr() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endErr
}

// Replaced reports that another worker joined with our identity and owns the egress now.
func (r *Room) Replaced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.silent
}

// Names are the path placeholders that only the room could tell.
func (r *Room) Names() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]string, len(r.names))
	for k, v := range r.names {
		out[k] = v
	}
	return out
}

// Stop ends every track, leaves the room and returns what was recorded.
func (r *Room) Stop() []Recorded {
	r.mu.Lock()
	r.closed = true
	recorded := append([]Recorded(nil), r.finished...)
	open := slices.Collect(maps.Keys(r.writers))
	r.mu.Unlock()
	for _, w := range open {
		if rec := w.close(); rec.Frames > 0 {
			recorded = append(recorded, rec)
		}
	}
	r.room.Disconnect()
	return recorded
}

// Snapshot is what has been recorded so far, readable now.
func (r *Room) Snapshot() []Recorded {
	r.mu.Lock()
	recorded := append([]Recorded(nil), r.finished...)
	open := slices.Collect(maps.Keys(r.writers))
	r.mu.Unlock()
	for _, w := range open {
		if rec := w.snapshot(); rec.Frames > 0 {
			recorded = append(recorded, rec)
		}
	}
	return recorded
}

// Close leaves the room and forgets what was recorded.
func (r *Room) Close() { r.Stop() }

func (r *Room) callbacks() *lksdk.RoomCallback {
	return &lksdk.RoomCallback{
		ParticipantCallback: lksdk.ParticipantCallback{
			OnTrackPublished: func(pub *lksdk.RemoteTrackPublication, rp *lksdk.RemoteParticipant) { r.consider(pub, rp) },
			OnTrackSubscribed: func(t *webrtc.TrackRemote, pub *lksdk.RemoteTrackPublication, rp *lksdk.RemoteParticipant) {
				r.record(t, pub, rp)
			},
			OnTrackMuted:   func(pub lksdk.TrackPublication, _ lksdk.Participant) { r.setMuted(pub.SID(), true) },
			OnTrackUnmuted: func(pub lksdk.TrackPublication, _ lksdk.Participant) { r.setMuted(pub.SID(), false) },
			OnTrackUnsubscribed: func(_ *webrtc.TrackRemote, pub *lksdk.RemoteTrackPublication, _ *lksdk.RemoteParticipant) {
				r.trackGone(pub.SID())
			},
		},
		OnParticipantDisconnected: func(rp *lksdk.RemoteParticipant) {
			if r.job.Kind == job.Participant && rp.Identity() == r.job.Want.Identity {
				r.endUnlessBack(func() bool { return r.room.GetParticipantByIdentity(rp.Identity()) != nil })
			}
		},
		OnReconnecting:           r.markCut,
		OnReconnected:            func() { r.markCut(); r.subscribeAll() },
		OnDisconnectedWithReason: r.disconnected,
	}
}

func (r *Room) disconnected(reason lksdk.DisconnectionReason) {
	r.mu.Lock()
	switch reason {
	case lksdk.DuplicateIdentity:
		r.silent = true
	case lksdk.Failed:
		r.endErr = psrpc.NewErrorf(psrpc.Unavailable, "recording ended early: connection to room failed")
	}
	r.mu.Unlock()
	logger.Infow("left the room", "egressID", r.job.ID, "reason", reason)
	r.end()
}

func (r *Room) end() { r.endOnce.Do(func() { close(r.ended) }) }

func (r *Room) markCut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wasCut = time.Now()
}

// endUnlessBack ends the source when what it needs is gone. While our own connection is or was just
// interrupted, everything seems gone, so it is given time to come back.
func (r *Room) endUnlessBack(back func() bool) {
	go func() {
		for r.interrupted() {
			if back() {
				return
			}
			select {
			case <-r.ended:
				return
			case <-time.After(pollInterval):
			}
		}
		r.end()
	}()
}

func (r *Room) interrupted() bool {
	r.mu.Lock()
	cut := r.wasCut
	r.mu.Unlock()
	return r.room.ConnectionState() == lksdk.ConnectionStateReconnecting || time.Since(cut) < comeBackGrace
}

func (r *Room) awaitNamed(ctx context.Context) error {
	deadline := time.Now().Add(appearTimeout)
	for _, identity := range r.job.Want.NamedParticipants() {
		present := func() bool { return r.room.GetParticipantByIdentity(identity) != nil }
		if !r.await(ctx, deadline, present) {
			return psrpc.NewErrorf(psrpc.NotFound, "participant %s not found", identity)
		}
	}
	for _, id := range r.job.Want.NamedTracks() {
		if !r.await(ctx, deadline, func() bool { return r.publication(id) != nil }) {
			return psrpc.NewErrorf(psrpc.NotFound, "track %s not found", id)
		}
		if err := r.checkKind(id); err != nil {
			return err
		}
	}
	if id := r.job.Want.Identity; id != "" {
		r.setName("{publisher_identity}", id)
	}
	return nil
}

func (r *Room) await(ctx context.Context, deadline time.Time, met func() bool) bool {
	for !met() {
		if time.Now().After(deadline) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-r.ended:
			return false
		case <-time.After(pollInterval):
		}
	}
	return true
}

func (r *Room) checkKind(id string) error {
	video := r.publication(id).Kind() == lksdk.TrackKindVideo
	switch {
	case id == r.job.Want.AudioTrackID && video:
		return psrpc.NewErrorf(psrpc.InvalidArgument, "request has missing or invalid field: audio_track_id")
	case id == r.job.Want.VideoTrackID && !video:
		return psrpc.NewErrorf(psrpc.InvalidArgument, "request has missing or invalid field: video_track_id")
	}
	return nil
}

func (r *Room) publication(id string) lksdk.TrackPublication {
	for _, rp := range r.room.GetRemoteParticipants() {
		for _, pub := range rp.TrackPublications() {
			if pub.SID() == id {
				return pub
			}
		}
	}
	return nil
}
