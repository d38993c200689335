// The tracks of a joined room: which are subscribed, and the writer of each.
package media

import (
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"reelkit/worker-standin/internal/job"
)

func (r *Room) subscribeAll() {
	for _, rp := range r.room.GetRemoteParticipants() {
		for _, pub := range rp.TrackPublications() {
			if remote, ok := pub.(*lksdk.RemoteTrackPublication); ok {
				r.consider(remote, rp)
			}
		}
	}
}

func (r *Room) consider(pub *lksdk.RemoteTrackPublication, rp *lksdk.RemoteParticipant) {
	if !r.job.Want.Takes(candidate(pub, rp), r.job.Audio, r.job.Video) || pub.IsSubscribed() {
		return
	}
	if err := pub.SetSubscribed(true); err != nil {
		logger.Warnw("could not subscribe to a track", err, "egressID", r.job.ID, "trackID", pub.SID())
	}
}

func candidate(pub *lksdk.RemoteTrackPublication, rp *lksdk.RemoteParticipant) job.Candidate {
	return job.Candidate{
		TrackID:  pub.SID(),
		Identity: rp.Identity(),
		Kind:     livekit.ParticipantInfo_Kind(rp.Kind()),
		Source:   pub.Source(),
		Video:    pub.Kind() == lksdk.TrackKindVideo,
	}
}

func (r *Room) record(t *webrtc.TrackRemote, pub *lksdk.RemoteTrackPublication, rp *lksdk.RemoteParticipant) {
	c := candidate(pub, rp)
	rec := Recorded{TrackID: c.TrackID, Identity: c.Identity, Video: c.Video, Channel: int32(r.job.Want.Channel(c))}
	if info := pub.TrackInfo(); info != nil {
		rec.Width, rec.Height = int(info.Width), int(info.Height)
	}
	w, err := newTrackWriter(r.dir, rec, t.Codec(), r.clock, func() { rp.WritePLI(t.SSRC()) })
	if err != nil {
		logger.Warnw("track is not recorded", err, "egressID", r.job.ID, "trackID", rec.TrackID)
		return
	}
	if !r.adopt(w, c) {
		w.close()
		return
	}
	w.setMuted(pub.IsMuted())
	logger.Infow("recording a track", "egressID", r.job.ID, "trackID", rec.TrackID, "codec", t.Codec().MimeType)
	go func() {
		w.run(func() (*rtp.Packet, error) {
			p, _, err := t.ReadRTP()
			if err == nil {
				r.begin()
			}
			return p, err
		})
		r.trackEnded(w)
	}()
}

func (r *Room) adopt(w *trackWriter, c job.Candidate) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.writers[w] = true
	if r.job.Passthrough || r.job.Kind == job.TrackComposite && (c.Video || r.names["{publisher_identity}"] == "") {
		r.names["{publisher_identity}"] = c.Identity
	}
	if r.job.Passthrough {
		r.names["{track_id}"] = c.TrackID
		r.names["{track_source}"] = strings.ToLower(c.Source.String())
		r.names["{track_type}"] = map[bool]string{true: "video", false: "audio"}[c.Video]
		r.job.Encoding.Container = passthroughContainer(w.rec.MimeType)
	}
	return true
}

func passthroughContainer(mime string) job.Container {
	switch {
	case strings.EqualFold(mime, webrtc.MimeTypeH264):
		return job.MP4
	case strings.HasPrefix(strings.ToLower(mime), "video/"):
		return job.WebM
	}
	return job.OGG
}

// clock is the time since media began; the first caller starts it.
func (r *Room) clock() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.startedAt.IsZero() {
		return 0
	}
	return time.Since(r.startedAt)
}

func (r *Room) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.startedAt.IsZero() {
		r.startedAt = time.Now()
		close(r.started)
	}
}

// trackEnded may be called twice for one track: when it is unsubscribed and when its reader stops.
func (r *Room) trackEnded(w *trackWriter) {
	rec := w.close()
	r.mu.Lock()
	open := r.writers[w] && !r.closed
	if open {
		delete(r.writers, w)
		if rec.Frames > 0 {
			r.finished = append(r.finished, rec)
		}
	}
	last := open && len(r.writers) == 0
	r.mu.Unlock()
	if last && (r.job.Kind == job.Track || r.job.Kind == job.TrackComposite) {
		r.endUnlessBack(func() bool { return r.openWriters() > 0 })
	}
}

func (r *Room) openWriters() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.writers)
}

func (r *Room) trackGone(id string) {
	if w := r.writer(id); w != nil {
		r.trackEnded(w)
	}
}

func (r *Room) writer(id string) *trackWriter {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.writers {
		if w.rec.TrackID == id {
			return w
		}
	}
	return nil
}

func (r *Room) setMuted(id string, muted bool) {
	if w := r.writer(id); w != nil {
		w.setMuted(muted)
	}
}

func (r *Room) setName(placeholder, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[placeholder] = value
}
