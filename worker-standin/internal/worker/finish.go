// Finishing: from recorded tracks to the file, its manifest and the last record.
package worker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/compose"
	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/job"
)

// conclude makes the file and sends the terminal record.
func (x *session) conclude(src source, endedAt time.Time) {
	if x.endedWell() {
		x.stopFault()
	}
	size, err := src.finish(x, endedAt)
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.job.File
	f.EndedAt = endedAt.UnixNano()
	f.Duration = f.EndedAt - f.StartedAt
	if err == nil {
		f.Location, f.Size = x.job.Path.Location(), size
	}
	x.settle(err)
	x.updates.send(x.job.Info)
}

func (x *session) endedWell() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ending.err == nil
}

// settle chooses the final status; it expects the lock.
func (x *session) settle(fileErr error) {
	switch {
	case x.ending.err != nil:
		x.setFailed(x.ending)
		return
	case fileErr != nil:
		x.setFailed(ending{err: fileErr})
		return
	case !x.ending.limit:
		x.job.Info.SetComplete()
		if x.ending.details != "" {
			x.job.Info.Details = x.ending.details
		}
	}
	if x.job.DisableManifest {
		return
	}
	if err := x.writeManifest(); err != nil {
		logger.Warnw("could not write the manifest", err, "egressID", x.job.ID)
		return
	}
	x.job.Info.ManifestLocation = x.job.ManifestPath()
}

// manifest is the JSON that lies beside the file, with the real worker's keys.
type manifest struct {
	EgressID          string         `json:"egress_id,omitempty"`
	RoomID            string         `json:"room_id,omitempty"`
	RoomName          string         `json:"room_name,omitempty"`
	StartedAt         int64          `json:"started_at,omitempty"`
	EndedAt           int64          `json:"ended_at,omitempty"`
	PublisherIdentity string         `json:"publisher_identity,omitempty"`
	TrackID           string         `json:"track_id,omitempty"`
	AudioTrackID      string         `json:"audio_track_id,omitempty"`
	VideoTrackID      string         `json:"video_track_id,omitempty"`
	Files             []manifestFile `json:"files,omitempty"`
}

type manifestFile struct {
	Filename string `json:"filename,omitempty"`
	Location string `json:"location,omitempty"`
}

func (x *session) writeManifest() error {
	info, want := x.job.Info, x.job.Want
	content, err := json.Marshal(manifest{
		EgressID: info.EgressId, RoomID: info.RoomId, RoomName: info.RoomName,
		StartedAt: info.StartedAt, EndedAt: info.EndedAt,
		PublisherIdentity: want.Identity, TrackID: want.TrackID,
		AudioTrackID: want.AudioTrackID, VideoTrackID: want.VideoTrackID,
		Files: []manifestFile{{x.job.File.Filename, x.job.File.Location}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(x.job.ManifestPath(), append(content, '\n'), 0o644)
}

// compose runs ffmpeg over the tracks and puts the result in its place.
func (x *session) compose(tracks []compose.Track, duration time.Duration) (int64, error) {
	out := filepath.Join(x.tmp, "out"+x.job.Encoding.Container.Extension())
	if err := x.ffmpeg(tracks, duration, out); err != nil {
		return 0, psrpc.NewError(psrpc.Internal, err)
	}
	size, err := compose.Place(out, x.job.Path.Location())
	if err != nil {
		return 0, psrpc.NewErrorf(psrpc.InvalidArgument, "Local upload failed: %w", err)
	}
	return size, nil
}

func (x *session) ffmpeg(tracks []compose.Track, duration time.Duration, out string) error {
	if x.job.Passthrough && len(tracks) > 0 {
		return x.server.ffmpeg.Copy(context.Background(), tracks[0], x.job.Encoding.Container, out, x.setPID)
	}
	return x.server.ffmpeg.Compose(context.Background(), compose.Request{
		Tracks: tracks, Duration: duration, Audio: x.job.Audio, Video: x.job.Video, Encoding: x.job.Encoding, Out: out,
	}, x.setPID)
}

func (x *session) setPID(pid int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pid = pid
}

// placeholder stands for the file when no media is recorded; the size is what the bit rates would give.
func (x *session) placeholder(duration time.Duration) (int64, error) {
	location := x.job.Path.Location()
	if err := os.MkdirAll(filepath.Dir(location), 0o755); err != nil {
		return 0, psrpc.NewErrorf(psrpc.InvalidArgument, "Local upload failed: %w", err)
	}
	text := "placeholder of egress-standin, STANDIN_MEDIA=none, egress " + x.job.ID + "\n"
	if err := os.WriteFile(location, []byte(text), 0o644); err != nil {
		return 0, psrpc.NewErrorf(psrpc.InvalidArgument, "Local upload failed: %w", err)
	}
	return plausibleSize(x.job, duration), nil
}

func plausibleSize(j *job.Job, d time.Duration) int64 {
	kbps := int32(0)
	if j.Audio {
		kbps += j.Encoding.AudioKbps
	}
	if j.Video {
		kbps += j.Encoding.VideoKbps
	}
	return int64(float64(max(kbps, 64)) * 1000 / 8 * d.Seconds())
}

// stopFault carries out what a test ordered for the moment of finishing.
func (x *session) stopFault() {
	rule := x.server.faults.Take(x.job.Info.RoomName, fault.Stop)
	if rule == nil {
		return
	}
	logFault(x.job.ID, rule)
	time.Sleep(rule.After)
	switch rule.Action {
	case fault.Crash:
		crash()
	case fault.Hang:
		select {}
	case fault.Fail:
		x.mu.Lock()
		x.ending = ruleEnding(rule)
		x.mu.Unlock()
	}
}
