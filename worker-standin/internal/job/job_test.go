package job

import (
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"

	"reelkit/worker-standin/internal/config"
)

func conf(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Parse("api_key: k\napi_secret: sssssssssssssssssssssssssssssssss\nws_url: ws://x\nstorage: {prefix: /rec}")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func roomRequest(mutate func(*livekit.RoomCompositeEgressRequest)) *rpc.StartEgressRequest {
	r := &livekit.RoomCompositeEgressRequest{RoomName: "r1", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a/{room_name}-{room_id}"}}}
	if mutate != nil {
		mutate(r)
	}
	return &rpc.StartEgressRequest{EgressId: "EG_1", RoomId: "RM_1", Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: r}}
}

func TestARoomCompositeIsReadyToRecord(t *testing.T) {
	j, err := Parse(conf(t), roomRequest(nil), time.Unix(5, 0))
	if err != nil {
		t.Fatal(err)
	}
	if j.File.Filename != "a/r1-RM_1.mp4" || j.Path.Location() != "/rec/a/r1-RM_1.mp4" || j.ManifestPath() != "/rec/a/EG_1.json" {
		t.Fatalf("got %q at %q, manifest %q", j.File.Filename, j.Path.Location(), j.ManifestPath())
	}
	if j.Info.Status != livekit.EgressStatus_EGRESS_STARTING || j.Info.StartedAt != time.Unix(5, 0).UnixNano() || j.Info.FileResults[0] != j.Info.GetFile() {
		t.Fatalf("got %+v", j.Info)
	}
	if j.Encoding.Width != 1280 || j.Encoding.FPS != 30 || j.Encoding.AudioCodec != AAC {
		t.Fatalf("got %+v", j.Encoding)
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	j := &Job{Info: &livekit.EgressInfo{}, File: &livekit.FileInfo{}}
	_ = j.roomComposite(conf(t), &livekit.RoomCompositeEgressRequest{RoomName: "r", FileOutputs: []*livekit.EncodedFileOutput{{
		Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{AccessKey: "AKIA", Secret: "hidden"}}}}})
	if text := j.Info.String(); strings.Contains(text, "hidden") || strings.Contains(text, "AKIA") {
		t.Fatal(text)
	}
}

func TestRefusals(t *testing.T) {
	rows := []struct {
		name, want string
		req        *rpc.StartEgressRequest
	}{
		{"no id", "request has missing or invalid field: egressID", &rpc.StartEgressRequest{}},
		{"no request", "request has missing or invalid field: request", &rpc.StartEgressRequest{EgressId: "x"}},
		{"no output", "request has missing or invalid field: output", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.FileOutputs = nil })},
		{"nothing to record", "request has missing or invalid field: audio_only and video_only", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.AudioOnly, r.VideoOnly = true, true })},
		{"odd width", "request has missing or invalid field: width", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.Options = &livekit.RoomCompositeEgressRequest_Advanced{Advanced: &livekit.EncodingOptions{Width: 641}}
		})},
		{"video in OGG", "no supported codec is compatible", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.FileOutputs[0].FileType = livekit.EncodedFileType_OGG })},
		{"stream", "stream outputs", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.StreamOutputs = []*livekit.StreamOutput{{}} })},
		{"S3", "uploads to S3", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.FileOutputs[0].Output = &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{}}
		})},
		{"web", "web egress", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Web{Web: &livekit.WebEgressRequest{Url: "http://x"}}}},
		{"no identity", "request has missing or invalid field: identity", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Participant{Participant: &livekit.ParticipantEgressRequest{RoomName: "r"}}}},
		{"no track", "request has missing or invalid field: track_id", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Track{Track: &livekit.TrackEgressRequest{RoomName: "r"}}}},
		{"no tracks", "request has missing or invalid field: audio_track_id or video_track_id", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_TrackComposite{TrackComposite: &livekit.TrackCompositeEgressRequest{RoomName: "r"}}}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			_, err := Parse(conf(t), r.req, time.Now())
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Fatalf("got %v, want %q", err, r.want)
			}
		})
	}
}

func TestPathsAreCleanedAndCannotClimb(t *testing.T) {
	for in, want := range map[string]string{"": "", ".": "", "a//b": "a/b", "../../etc/x": "etc/x", "a/../../b": "b", "dir/": "dir/", "/abs/x": "/abs/x"} {
		if got := CleanPath(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestExtensions(t *testing.T) {
	for in, want := range map[string]string{"a": "a.mp4", "a.mp4": "a.mp4", "a.ogg": "a.mp4", "v1.2": "v1.2.mp4", "a.jpeg": "a.mp4"} {
		if got := withExtension(in, ".mp4"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestADirectoryGetsADefaultName(t *testing.T) {
	f := &FilePath{Template: "dir/"}
	f.resolve("room", nil, ".mp4", 0, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if f.Resolved != "dir/room-2026-01-02T030405.mp4" {
		t.Fatal(f.Resolved)
	}
}

func TestPlaceholdersKnownLaterAreFilledLater(t *testing.T) {
	f := &FilePath{Template: "{publisher_identity}/{room_name}"}
	f.resolve("r", map[string]string{"{room_name}": "r"}, ".mp4", 0, time.Now())
	f.resolve("alice", map[string]string{"{publisher_identity}": "alice"}, ".mp4", 0, time.Now())
	if f.Resolved != "alice/r.mp4" {
		t.Fatal(f.Resolved)
	}
}

func TestAudioOnlyDefaultsToOggAndFollowsTheCodec(t *testing.T) {
	for codec, want := range map[AudioCodec]Container{AnyAudio: OGG, Opus: OGG, AAC: MP4, MP3Audio: MP3} {
		e := defaultEncoding()
		e.AudioCodec = codec
		if err := e.chooseContainer(true, false); err != nil || e.Container != want {
			t.Errorf("%q gave %q, %v", codec, e.Container, err)
		}
	}
}

func TestWantTakesTheRightTracks(t *testing.T) {
	cam := Candidate{TrackID: "V", Identity: "alice", Source: livekit.TrackSource_CAMERA, Video: true}
	mic := Candidate{TrackID: "A", Identity: "alice", Source: livekit.TrackSource_MICROPHONE}
	screen := Candidate{TrackID: "S", Identity: "alice", Source: livekit.TrackSource_SCREEN_SHARE, Video: true}
	other := Candidate{TrackID: "O", Identity: "bob", Source: livekit.TrackSource_MICROPHONE}
	all := []Candidate{cam, mic, screen, other}
	rows := []struct {
		name         string
		want         Want
		audio, video bool
		ids          string
	}{
		{"room", Want{All: true}, true, true, "VASO"},
		{"room, audio only", Want{All: true}, true, false, "AO"},
		{"participant", Want{Identity: "alice"}, true, true, "VA"},
		{"participant's screen", Want{Identity: "alice", ScreenShare: true}, true, true, "S"},
		{"track", Want{TrackID: "S"}, false, false, "S"},
		{"track composite", Want{AudioTrackID: "O", VideoTrackID: "V"}, true, true, "VO"},
		{"video track alone", Want{VideoTrackID: "V"}, false, true, "V"},
		{"media: video of one, all audio", Want{VideoIdentity: "alice", AllAudio: true}, true, true, "VAO"},
		{"media: route", Want{Routes: []*livekit.AudioRoute{{Match: &livekit.AudioRoute_ParticipantIdentity{ParticipantIdentity: "bob"}}}}, true, false, "O"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := ""
			for _, c := range all {
				if r.want.Takes(c, r.audio, r.video) {
					got += c.TrackID
				}
			}
			if got != r.ids {
				t.Fatalf("got %q, want %q", got, r.ids)
			}
		})
	}
}
