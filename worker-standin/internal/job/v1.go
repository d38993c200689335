// The requests of the first generation of the API, one function each.
package job

import (
	"net/url"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"google.golang.org/protobuf/proto"

	"reelkit/worker-standin/internal/admission"
	"reelkit/worker-standin/internal/config"
)

func (j *Job) roomComposite(conf *config.Config, req *livekit.RoomCompositeEgressRequest) error {
	j.Kind = RoomComposite
	stored := proto.Clone(req).(*livekit.RoomCompositeEgressRequest)
	egress.RedactEncodedOutputs(stored)
	j.Info.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: stored}
	j.Info.RoomName = req.RoomName
	if err := j.wantRoom(req, req.VideoOnly); err != nil {
		return err
	}
	if err := j.Encoding.apply(req.GetPreset(), req.GetAdvanced()); err != nil {
		return err
	}
	return j.encodedOutputs(conf, req)
}

func (j *Job) web(conf *config.Config, req *livekit.WebEgressRequest) error {
	j.Kind = Web
	stored := proto.Clone(req).(*livekit.WebEgressRequest)
	egress.RedactEncodedOutputs(stored)
	j.Info.Request = &livekit.EgressInfo_Web{Web: stored}
	if err := j.wantPage(req.Url, req.AudioOnly, req.VideoOnly); err != nil {
		return err
	}
	if err := j.Encoding.apply(req.GetPreset(), req.GetAdvanced()); err != nil {
		return err
	}
	return j.encodedOutputs(conf, req)
}

// wantPage wants nothing of a room: there is no browser here, so the page stays black.
func (j *Job) wantPage(page string, audioOnly, videoOnly bool) error {
	j.Info.SourceType = livekit.EgressSourceType_EGRESS_SOURCE_TYPE_WEB
	if !isHTTP(page) {
		return errInput("web url")
	}
	j.Audio, j.Video = !videoOnly, !audioOnly
	if !j.Audio && !j.Video {
		return errInput("audio_only and video_only")
	}
	return nil
}

func (j *Job) participant(conf *config.Config, req *livekit.ParticipantEgressRequest) error {
	j.Kind = Participant
	stored := proto.Clone(req).(*livekit.ParticipantEgressRequest)
	egress.RedactEncodedOutputs(stored)
	j.Info.Request = &livekit.EgressInfo_Participant{Participant: stored}
	j.Info.RoomName = req.RoomName
	j.Audio, j.Video = true, true
	if req.Identity == "" {
		return errInput("identity")
	}
	j.Want = Want{Identity: req.Identity, ScreenShare: req.ScreenShare}
	if err := j.Encoding.apply(req.GetPreset(), req.GetAdvanced()); err != nil {
		return err
	}
	return j.encodedOutputs(conf, req)
}

func (j *Job) trackComposite(conf *config.Config, req *livekit.TrackCompositeEgressRequest) error {
	j.Kind = TrackComposite
	stored := proto.Clone(req).(*livekit.TrackCompositeEgressRequest)
	egress.RedactEncodedOutputs(stored)
	j.Info.Request = &livekit.EgressInfo_TrackComposite{TrackComposite: stored}
	j.Info.RoomName = req.RoomName
	j.Audio, j.Video = req.AudioTrackId != "", req.VideoTrackId != ""
	if !j.Audio && !j.Video {
		return errInput("audio_track_id or video_track_id")
	}
	j.Want = Want{AudioTrackID: req.AudioTrackId, VideoTrackID: req.VideoTrackId}
	if err := j.Encoding.apply(req.GetPreset(), req.GetAdvanced()); err != nil {
		return err
	}
	return j.encodedOutputs(conf, req)
}

func (j *Job) track(conf *config.Config, req *livekit.TrackEgressRequest) error {
	j.Kind = Track
	j.Passthrough = true
	stored := proto.Clone(req).(*livekit.TrackEgressRequest)
	egress.RedactDirectOutputs(stored)
	j.Info.Request = &livekit.EgressInfo_Track{Track: stored}
	j.Info.RoomName = req.RoomName
	if req.TrackId == "" {
		return errInput("track_id")
	}
	j.Want = Want{TrackID: req.TrackId}
	return j.directOutput(conf, req)
}

// room is a drawn room in either generation of the API.
type room interface {
	GetLayout() string
	GetAudioOnly() bool
	GetCustomBaseUrl() string
}

func (j *Job) wantRoom(r room, videoOnly bool) error {
	if admission.NeedsBrowser(r) {
		j.Info.SourceType = livekit.EgressSourceType_EGRESS_SOURCE_TYPE_WEB
	}
	if base := r.GetCustomBaseUrl(); base != "" && !isHTTP(base) {
		return errInput("template base url")
	}
	j.Audio, j.Video = !videoOnly, !r.GetAudioOnly()
	if !j.Audio && !j.Video {
		return errInput("audio_only and video_only")
	}
	j.Want = Want{All: true}
	return nil
}

func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

func joinToken(conf *config.Config, req *rpc.StartEgressRequest, roomName string) (string, error) {
	if req.Token != "" {
		return req.Token, nil
	}
	if conf.APIKey == "" || conf.APISecret == "" || roomName == "" {
		return "", errInput("token or api key/secret")
	}
	return egress.BuildEgressToken(req.EgressId, conf.APIKey, conf.APISecret, roomName)
}
