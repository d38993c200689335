// The unified request of the second generation: a template, web or media source and a list of outputs.
package job

import (
	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"reelkit/worker-standin/internal/config"
)

func (j *Job) unified(conf *config.Config, req *livekit.StartEgressRequest) error {
	stored := proto.Clone(req).(*livekit.StartEgressRequest)
	egress.RedactStartEgressRequest(stored)
	j.Info.Request = &livekit.EgressInfo_Egress{Egress: stored}
	if req.RoomName != "" {
		j.Info.RoomName = req.RoomName
	}
	if err := j.Encoding.apply(req.GetPreset(), req.GetAdvanced()); err != nil {
		return err
	}
	if err := j.unifiedSource(req); err != nil {
		return err
	}
	return j.unifiedOutputs(conf, req)
}

func (j *Job) unifiedSource(req *livekit.StartEgressRequest) error {
	switch {
	case req.GetTemplate() != nil:
		j.Kind = Template
		return j.wantRoom(req.GetTemplate(), req.GetTemplate().VideoOnly)
	case req.GetWeb() != nil:
		j.Kind = Web
		w := req.GetWeb()
		return j.wantPage(w.Url, w.AudioOnly, w.VideoOnly)
	case req.GetMedia() != nil:
		j.Kind = Media
		return j.wantMedia(req.GetMedia())
	}
	return errInput("source")
}

func (j *Job) wantMedia(m *livekit.MediaSource) error {
	switch v := m.Video.(type) {
	case *livekit.MediaSource_VideoTrackId:
		j.Video = true
		j.Want.VideoTrackID = v.VideoTrackId
	case *livekit.MediaSource_ParticipantVideo:
		j.Video = true
		j.Want.VideoIdentity = v.ParticipantVideo.GetIdentity()
		j.Want.ScreenShare = v.ParticipantVideo.GetPreferScreenShare()
	}
	if a := m.Audio; a != nil && (a.CaptureAll || len(a.Routes) > 0) {
		j.Audio = true
		j.Want.AllAudio = a.CaptureAll
		if !a.CaptureAll {
			j.Want.Routes = a.Routes
		}
	}
	if !j.Audio && !j.Video {
		return errInput("audio or video")
	}
	return nil
}
