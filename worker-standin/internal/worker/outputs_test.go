package worker

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/job"
)

func (b *bench) participant(id string, tune func(*livekit.ParticipantEgressRequest)) *rpc.StartEgressRequest {
	req := b.request(id)
	tune(req.GetParticipant())
	return req
}

func (b *bench) change(id string, add, remove []string) (*livekit.EgressInfo, error) {
	return b.handle.UpdateStream(context.Background(), id, &livekit.UpdateStreamRequest{EgressId: id, AddOutputUrls: add, RemoveOutputUrls: remove}) //nolint:staticcheck // what LiveKit calls
}

func TestSegmentsAndImagesAreThereBeforeTheEnd(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	req := b.participant("EG_1", func(r *livekit.ParticipantEgressRequest) {
		r.SegmentOutputs = []*livekit.SegmentedFileOutput{{FilenamePrefix: filepath.Join(b.dir, "s"), SegmentDuration: 1}}
		r.SegmentOutputs[0].PlaylistName, r.SegmentOutputs[0].LivePlaylistName = filepath.Join(b.dir, "p"), filepath.Join(b.dir, "l")
		r.ImageOutputs = []*livekit.ImageOutput{{FilenamePrefix: filepath.Join(b.dir, "i"), CaptureInterval: 1}}
	})
	if _, err := b.start(req, time.Second); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string { text, _ := os.ReadFile(filepath.Join(b.dir, name)); return string(text) }
	b.until("two segments", func() bool { return strings.Contains(read("p.m3u8"), "s_00001.ts") })
	if text := read("p.m3u8"); strings.Contains(text, "ENDLIST") || !strings.Contains(text, "#EXT-X-PLAYLIST-TYPE:EVENT") || !strings.Contains(text, "#EXTINF:1.000,\ns_00000.ts") {
		t.Fatal(text)
	}
	if read("s_00000.ts") == "" || read("i_00000.jpeg") == "" {
		t.Fatal("segments and images are files")
	}
	if _, err := b.stop("EG_1"); err != nil {
		t.Fatal(err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_COMPLETE)
	end := b.io.last()
	s := end.SegmentResults[0]
	if s.SegmentCount < 2 || s.PlaylistLocation != filepath.Join(b.dir, "p.m3u8") || s.LivePlaylistLocation == "" || s.Duration == 0 || end.ImageResults[0].ImageCount < 2 {
		t.Fatalf("got %v", end)
	}
	if !strings.HasSuffix(read("p.m3u8"), "#EXT-X-ENDLIST\n") || end.FileResults[0].Location == "" || !strings.Contains(read("EG_1.json"), `"playlists":[{"location":`) {
		t.Fatal("everything is finished")
	}
}

func TestStreamsComeAndGoAndTheLastTakesTheEgressWithIt(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	const one, two = "rtmp://h/app/keynumberone", "rtmp://h/app/keynumbertwo"
	req := b.participant("EG_1", func(r *livekit.ParticipantEgressRequest) {
		r.FileOutputs, r.StreamOutputs = nil, []*livekit.StreamOutput{{Urls: []string{one}}}
	})
	info, err := b.start(req, time.Second)
	if err != nil || info.StreamResults[0].StartedAt != 0 || info.GetStream() == nil { //nolint:staticcheck // older clients read it
		t.Fatalf("got %v, %v", info, err)
	}
	b.until("it to be publishing", func() bool {
		r := b.io.last().StreamResults
		return len(r) == 1 && r[0].StartedAt != 0
	})
	_, err = b.change("EG_1", []string{two, "rtmp://h/app", "srt://h:1"}, []string{"rtmp://h/app/none"})
	if codeOf(err) != psrpc.InvalidArgument || !strings.Contains(err.Error(), "invalid url rtmp://h/app: rtmp urls must be of format") ||
		!strings.HasSuffix(err.Error(), "\ninvalid url srt://h:1: invalid scheme\nstream rtmp://h/app/none not found") {
		t.Fatalf("got %v", err)
	}
	if _, err := b.change("EG_1", nil, []string{"rtmp://h/app/none"}); codeOf(err) != psrpc.NotFound {
		t.Fatalf("got %v", err)
	}
	if info, err = b.change("EG_1", nil, []string{one}); err != nil || len(info.StreamResults) != 2 || info.StreamResults[0].Status != livekit.StreamInfo_FINISHED {
		t.Fatalf("what was right is done although the rest was wrong: %v, %v", info, err)
	}
	if info, err = b.change("EG_1", nil, []string{two}); err != nil || info.Status == livekit.EgressStatus_EGRESS_ACTIVE {
		t.Fatalf("got %v, %v", info, err)
	}
	b.untilStatus(livekit.EgressStatus_EGRESS_COMPLETE)
	if got := b.io.last(); got.Details != "End reason: All streams stopped" || got.StreamResults[1].Status != livekit.StreamInfo_FINISHED {
		t.Fatalf("got %v", got)
	}
}

func TestAnEgressWithoutStreamsRefusesThem(t *testing.T) {
	b := newBench(t, &ioService{}, nil)
	b.mustStart("EG_1")
	if _, err := b.change("EG_1", []string{"rtmp://h/app/key"}, nil); codeOf(err) != psrpc.InvalidArgument || err.Error() != "UpdateStream called on non-streaming egress" {
		t.Fatalf("got %v", err)
	}
}

func TestAStreamThatFailsTakesTheEgressOnlyWhenItIsTheLastOutput(t *testing.T) {
	for _, file := range []bool{true, false} {
		b := newBench(t, &ioService{}, nil)
		req := b.participant("EG_1", func(r *livekit.ParticipantEgressRequest) {
			r.StreamOutputs = []*livekit.StreamOutput{{Urls: []string{"rtmp://h/app/key"}}}
			if !file {
				r.FileOutputs = nil
			}
		})
		if _, err := b.start(req, time.Second); err != nil {
			t.Fatal(err)
		}
		b.untilStatus(livekit.EgressStatus_EGRESS_ACTIVE)
		x := b.server.session("EG_1")
		x.streamFailed(x.job.Streams.All()[0], psrpc.NewErrorf(psrpc.Unavailable, "refused"))
		b.until("the stream to have failed", func() bool { return b.io.last().StreamResults[0].Status == livekit.StreamInfo_FAILED })
		if file {
			if got := b.io.last(); got.Status != livekit.EgressStatus_EGRESS_ACTIVE || got.StreamResults[0].Error != "refused" {
				t.Fatalf("got %v", got)
			}
			continue
		}
		b.untilStatus(livekit.EgressStatus_EGRESS_FAILED)
		if got := b.io.last(); got.ErrorCode != 503 || got.Error != "refused" || slices.Contains(b.io.statuses(), "EGRESS_ENDING") {
			t.Fatalf("got %v after %v", got, b.io.statuses())
		}
	}
}

func TestALivePlaylistShowsTheNewestFive(t *testing.T) {
	var list []segment
	for i := range 7 {
		list = append(list, segment{(&job.Segments{Prefix: "s"}).Name(i, time.Time{}), time.UnixMilli(1000), 2 * time.Second})
	}
	text := playlist(2*time.Second, list, "", false)
	if !strings.Contains(text, "#EXT-X-MEDIA-SEQUENCE:2\n") || strings.Contains(text, "s_00001.ts") || !strings.Contains(text, "s_00006.ts") {
		t.Fatal(text)
	}
}
