// Which of a room's tracks belong to a recording.
package job

import "github.com/livekit/protocol/livekit"

// Want selects tracks. Exactly one of the groups is used.
type Want struct {
	All bool // every track of the room

	Identity    string // one participant: camera and microphone, or the screen share
	ScreenShare bool

	TrackID      string // one track
	AudioTrackID string
	VideoTrackID string

	VideoIdentity string // media source: the participant whose picture is taken
	AllAudio      bool
	Routes        []*livekit.AudioRoute
}

// Candidate is a published track.
type Candidate struct {
	TrackID  string
	Identity string
	Kind     livekit.ParticipantInfo_Kind
	Source   livekit.TrackSource
	Video    bool
}

// NamedTracks are the tracks that must appear before the recording can start.
func (w Want) NamedTracks() []string {
	var ids []string
	for _, id := range []string{w.TrackID, w.AudioTrackID, w.VideoTrackID} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	for _, r := range w.Routes {
		if id := r.GetTrackId(); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// NamedParticipants must be in the room before the recording can start.
func (w Want) NamedParticipants() []string {
	var ids []string
	for _, id := range []string{w.Identity, w.VideoIdentity} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	for _, r := range w.Routes {
		if id := r.GetParticipantIdentity(); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Takes decides about one track, given which media the recording keeps.
func (w Want) Takes(c Candidate, audio, video bool) bool {
	switch {
	case w.TrackID != "":
		return c.TrackID == w.TrackID
	case w.All:
		return c.Video && video || !c.Video && audio
	case w.Identity != "":
		return c.Identity == w.Identity && isCamOrMic(c.Source) != w.ScreenShare
	case c.Video:
		return w.takesVideo(c)
	}
	return w.AllAudio || c.TrackID == w.AudioTrackID || w.route(c) != nil
}

// Channel is the stereo side an audio track goes to.
func (w Want) Channel(c Candidate) livekit.AudioChannel {
	if r := w.route(c); r != nil {
		return r.Channel
	}
	return livekit.AudioChannel_AUDIO_CHANNEL_BOTH
}

func (w Want) takesVideo(c Candidate) bool {
	if w.VideoTrackID != "" {
		return c.TrackID == w.VideoTrackID
	}
	if w.VideoIdentity == "" || c.Identity != w.VideoIdentity {
		return false
	}
	if w.ScreenShare {
		return c.Source == livekit.TrackSource_SCREEN_SHARE
	}
	return c.Source == livekit.TrackSource_CAMERA
}

func (w Want) route(c Candidate) *livekit.AudioRoute {
	for _, r := range w.Routes {
		switch m := r.Match.(type) {
		case *livekit.AudioRoute_TrackId:
			if m.TrackId == c.TrackID {
				return r
			}
		case *livekit.AudioRoute_ParticipantIdentity:
			if m.ParticipantIdentity == c.Identity {
				return r
			}
		case *livekit.AudioRoute_ParticipantKind:
			if m.ParticipantKind == c.Kind {
				return r
			}
		}
	}
	return nil
}

func isCamOrMic(s livekit.TrackSource) bool {
	return s == livekit.TrackSource_CAMERA || s == livekit.TrackSource_MICROPHONE
}
