// Where a session's recording comes from: a joined room, or nothing at all when no media is wanted.
package worker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"reelkit/worker-standin/internal/compose"
	"reelkit/worker-standin/internal/job"
	"reelkit/worker-standin/internal/media"
)

// source is what a session needs to know of it.
type source interface {
	started() <-chan struct{}
	startedAt() time.Time
	ended() <-chan struct{}
	endErr() error
	replaced() bool
	names() map[string]string
	// sofar is what has been recorded until now, readable.
	sofar() []compose.Track
	// stop ends the source and returns what was recorded.
	stop() []compose.Track
}

func (s *Server) openSource(ctx context.Context, x *session) (source, error) {
	if x.job.Kind == job.Web {
		return s.openEmpty(x), nil
	}
	if s.switches.NoMedia {
		if tokenExpired(x.job.Token, time.Now()) {
			return nil, errTokenExpired
		}
		return s.openEmpty(x), nil
	}
	room, err := media.Join(ctx, x.job, x.tmp)
	if err != nil {
		return nil, err
	}
	return roomSource{room}, nil
}

// roomSource records for real.
type roomSource struct{ room *media.Room }

func (r roomSource) started() <-chan struct{} { return r.room.Started() }
func (r roomSource) startedAt() time.Time     { return r.room.StartedAt() }
func (r roomSource) ended() <-chan struct{}   { return r.room.Ended() }
func (r roomSource) endErr() error            { return r.room.EndErr() }
func (r roomSource) replaced() bool           { return r.room.Replaced() }
func (r roomSource) names() map[string]string { return r.room.Names() }
func (r roomSource) sofar() []compose.Track   { return tracksOf(r.room.Snapshot()) }
func (r roomSource) stop() []compose.Track    { return tracksOf(r.room.Stop()) }

func tracksOf(recorded []media.Recorded) []compose.Track {
	tracks := make([]compose.Track, 0, len(recorded))
	for _, rec := range recorded {
		t := compose.Track{
			File: rec.File, Video: rec.Video, Owner: rec.Identity,
			Start: max(0, rec.Offset), End: rec.End,
			Width: rec.Width, Height: rec.Height, Channel: int(rec.Channel),
		}
		for _, m := range rec.Muted {
			t.Hidden = append(t.Hidden, compose.Span{From: m.From, To: m.To})
		}
		tracks = append(tracks, t)
	}
	return tracks
}

// emptySource is ACTIVE at once and ends when its room is gone. It is also what a page is recorded from: nothing.
type emptySource struct {
	begun time.Time
	ready chan struct{}
	gone  <-chan struct{}
	leave func()
	told  map[string]string
}

func (s *Server) openEmpty(x *session) source {
	ready := make(chan struct{})
	close(ready)
	gone, leave := s.follow(x.job)
	return emptySource{begun: time.Now(), ready: ready, gone: gone, leave: leave, told: toldBy(x.job)}
}

// toldBy is what the request itself says of whom it records: without a room nobody else does, and two tracks would write one file.
func toldBy(j *job.Job) map[string]string {
	told := map[string]string{}
	if id := j.Info.GetTrack().GetTrackId(); id != "" {
		told["{track_id}"] = id
	}
	if identity := j.Info.GetParticipant().GetIdentity(); identity != "" {
		told["{publisher_identity}"] = identity
	}
	return told
}

// follow watches the room where this worker may ask for it: on the server of its own configuration.
func (s *Server) follow(j *job.Job) (gone <-chan struct{}, leave func()) {
	if j.Kind == job.Web || j.WSURL != s.conf.WSURL || s.conf.APIKey == "" {
		return nil, func() {}
	}
	return s.rooms.follow(j.Info.RoomName)
}

const tokenLeeway = time.Minute // LiveKit's own

var errTokenExpired = errors.New("unauthorized: the token of the request has expired")

// tokenExpired reads a token's end where no server is asked to. What it cannot read it takes for valid.
func tokenExpired(token string, now time.Time) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expiry == 0 {
		return false
	}
	return now.After(time.Unix(int64(claims.Expiry), 0).Add(tokenLeeway))
}

func (e emptySource) started() <-chan struct{} { return e.ready }
func (e emptySource) startedAt() time.Time     { return e.begun }
func (e emptySource) ended() <-chan struct{}   { return e.gone }
func (e emptySource) endErr() error            { return nil }
func (e emptySource) replaced() bool           { return false }
func (e emptySource) names() map[string]string { return e.told }
func (e emptySource) sofar() []compose.Track   { return nil }
func (e emptySource) stop() []compose.Track    { e.leave(); return nil }
