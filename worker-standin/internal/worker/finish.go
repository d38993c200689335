// Finishing: from recorded tracks to the file, its manifest and the last record.
package worker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/compose"
	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/job"
)

// finishing is the least that a file costs; without it ENDING would be over before anybody was told, and stops answered with the end.
const finishing = 200 * time.Millisecond

// conclude finishes every output and sends the terminal record.
func (x *session) conclude(src source, endedAt time.Time) {
	if x.endedWell() {
		x.stopFault()
	}
	tracks := src.stop()
	x.stopStreams()
	x.cutting.Wait()
	var err error
	if !x.brokeOff() {
		if x.server.switches.NoMedia {
			time.Sleep(finishing)
		}
		err = x.finishOutputs(tracks, endedAt)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.endOutputs(endedAt)
	x.settle(err)
	x.updates.send(x.job.Info)
}

// finishOutputs stops at the first output that cannot be finished, as the real worker's record does.
func (x *session) finishOutputs(tracks []compose.Track, endedAt time.Time) error {
	for _, p := range x.pieces {
		if err := p.finish(x, tracks, endedAt); err != nil {
			return err
		}
	}
	if x.job.Path == nil {
		return nil
	}
	size, err := x.file(tracks, endedAt.Sub(x.startedAt()))
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.job.File.Location, x.job.File.Size = x.job.Path.Location(), size
	x.manifest.Files = []manifestFile{{x.job.File.Filename, x.job.File.Location}}
	return nil
}

// begin gives every output its start; it expects the lock.
func (x *session) begin(at time.Time) {
	ns := at.UnixNano()
	x.begun = at
	x.job.File.StartedAt = ns
	if s := x.job.Segments; s != nil {
		s.Info.StartedAt = ns
	}
	for _, i := range x.job.Images {
		i.Info.StartedAt = ns
	}
	if s := x.job.Streams; s != nil && s.Protocol != job.RTMP {
		for _, one := range s.All() {
			one.Info.StartedAt = ns
		}
	}
}

func (x *session) startedAt() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.begun
}

// endOutputs gives every output its end; it expects the lock.
func (x *session) endOutputs(at time.Time) {
	ns := at.UnixNano()
	f := x.job.File
	f.EndedAt, f.Duration = ns, ns-f.StartedAt
	if s := x.job.Segments; s != nil {
		s.Info.EndedAt, s.Info.Duration = ns, ns-s.Info.StartedAt
	}
	for _, i := range x.job.Images {
		i.Info.EndedAt = ns
	}
	if x.job.Streams == nil {
		return
	}
	for _, s := range x.job.Streams.All() {
		endStream(s, ns)
		s.Info.Status = livekit.StreamInfo_FINISHED
		if x.ending.err != nil {
			s.Info.Status = livekit.StreamInfo_FAILED
		}
	}
}

func (x *session) brokeOff() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ending.abrupt
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
	paths := x.job.ManifestPaths()
	if len(paths) == 0 {
		return
	}
	if err := x.writeManifest(paths); err != nil {
		logger.Warnw("could not write the manifest", err, "egressID", x.job.ID)
		return
	}
	x.job.Info.ManifestLocation = paths[0]
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

	Playlists []*manifestPlaylist `json:"playlists,omitempty"`
	Images    []manifestImage     `json:"images,omitempty"`
}

type manifestFile struct {
	Filename string `json:"filename,omitempty"`
	Location string `json:"location,omitempty"`
}

type manifestPlaylist struct {
	Location string         `json:"location,omitempty"`
	Segments []manifestFile `json:"segments,omitempty"`
}

type manifestImage struct {
	Filename  string    `json:"filename,omitempty"`
	Timestamp time.Time `json:"timestamp"`
	Location  string    `json:"location,omitempty"`
}

func (x *session) writeManifest(paths []string) error {
	info, want := x.job.Info, x.job.Want
	content, err := json.Marshal(manifest{
		EgressID: info.EgressId, RoomID: info.RoomId, RoomName: info.RoomName,
		StartedAt: info.StartedAt, EndedAt: info.EndedAt,
		PublisherIdentity: want.Identity, TrackID: want.TrackID,
		AudioTrackID: want.AudioTrackID, VideoTrackID: want.VideoTrackID,
		Files: x.manifest.Files, Playlists: x.manifest.Playlists, Images: x.manifest.Images,
	})
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := place(p, append(content, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// place writes a small file where it belongs, whole or not at all.
func place(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft := path + ".part"
	if err := os.WriteFile(draft, content, 0o644); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// file puts the finished file in its place.
func (x *session) file(tracks []compose.Track, duration time.Duration) (int64, error) {
	if x.server.switches.NoMedia {
		return x.placeholder(x.job.Path.Location(), duration)
	}
	out := filepath.Join(x.tmp, "out"+x.job.Encoding.Container.Extension())
	if err := x.ffmpeg(tracks, duration, out); err != nil {
		return 0, psrpc.NewError(psrpc.Internal, err)
	}
	return upload(out, x.job.Path.Location())
}

func upload(from, to string) (int64, error) {
	size, err := compose.Place(from, to)
	if err != nil {
		return 0, errUpload(err)
	}
	return size, nil
}

func errUpload(err error) error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "Local upload failed: %w", err)
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

// placeholder stands for a file when no media is recorded; the size is what the bit rates would give.
func (x *session) placeholder(location string, duration time.Duration) (int64, error) {
	text := "placeholder of egress-standin, STANDIN_MEDIA=none, egress " + x.job.ID + "\n"
	if err := place(location, []byte(text)); err != nil {
		return 0, errUpload(err)
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
