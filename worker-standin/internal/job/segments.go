// Outputs of many files: HLS segments with their playlists, and images. Names follow the real worker's rules.
package job

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/config"
)

const (
	defaultSegment = 4 * time.Second
	defaultCapture = 10 * time.Second
	streamKeySecs  = 4.0
)

// folder is where the files of one output go.
type folder struct {
	root string // from the worker's storage configuration
	Dir  string
}

// Place is the absolute path of a file.
func (f folder) Place(name string) string {
	abs, err := filepath.Abs(path.Join(f.root, f.Dir, name))
	if err != nil {
		return path.Join("/", f.root, f.Dir, name)
	}
	return abs
}

// Stored is the path of a file as the record and the manifest write it.
func (f folder) Stored(name string) string { return path.Join(f.Dir, name) }

// Segments is an HLS output.
type Segments struct {
	folder
	Info            *livekit.SegmentsInfo
	Playlist        string
	LivePlaylist    string // empty: none
	Prefix          string
	Suffix          livekit.SegmentedFileSuffix
	Duration        time.Duration
	DisableManifest bool
}

// Name of a segment.
func (s *Segments) Name(index int, at time.Time) string {
	if s.Suffix == livekit.SegmentedFileSuffix_TIMESTAMP {
		return fmt.Sprintf("%s_%s.ts", s.Prefix, utcStamp(at))
	}
	return fmt.Sprintf("%s_%05d.ts", s.Prefix, index)
}

// Images is an image output.
type Images struct {
	folder
	Info            *livekit.ImagesInfo
	Prefix          string
	Suffix          livekit.ImageFileSuffix
	Every           time.Duration
	Width, Height   int32
	DisableManifest bool
}

// Name of an image.
func (i *Images) Name(index int, at time.Time) string {
	switch i.Suffix {
	case livekit.ImageFileSuffix_IMAGE_SUFFIX_TIMESTAMP:
		return fmt.Sprintf("%s_%s.jpeg", i.Prefix, utcStamp(at))
	case livekit.ImageFileSuffix_IMAGE_SUFFIX_NONE_OVERWRITE:
		return i.Prefix + ".jpeg"
	}
	return fmt.Sprintf("%s_%05d.jpeg", i.Prefix, index)
}

func (j *Job) segments(conf *config.Config, req *livekit.SegmentedFileOutput, upload egress.UploadRequest) error {
	if err := checkStorage(conf, upload); err != nil {
		return err
	}
	prefix, playlist := CleanPath(req.GetFilenamePrefix()), CleanPath(req.GetPlaylistName())
	if j.Info.RetryCount > 0 && !retryable(prefix, playlist) {
		return errNotRetryable
	}
	s := &Segments{
		folder: folder{root: conf.Storage.Prefix}, Info: &livekit.SegmentsInfo{}, Suffix: req.GetFilenameSuffix(),
		Duration: time.Duration(req.GetSegmentDuration()) * time.Second, DisableManifest: req.GetDisableManifest(),
	}
	if s.Duration == 0 {
		s.Duration = defaultSegment
	}
	if err := s.name(j, prefix, playlist, CleanPath(req.GetLivePlaylistName())); err != nil {
		return err
	}
	j.Segments = s
	j.Info.SegmentResults = []*livekit.SegmentsInfo{s.Info}
	return nil
}

// retryable wants {retry} where the names of the segments come from; generated names carry the count by themselves.
func retryable(prefix, playlist string) bool {
	if prefix == "" {
		prefix = playlist
	}
	return prefix == "" || strings.Contains(prefix, "{retry}")
}

func (s *Segments) name(j *Job, prefix, playlist, live string) error {
	known := j.known(time.Now())
	dir, name := path.Split(replaceAll(playlist, known))
	liveDir, liveName := path.Split(replaceAll(live, known))
	segmentDir, segmentName := path.Split(replaceAll(prefix, known))
	if liveDir != "" && liveDir != dir {
		return errInput("live_playlist_name must be in same directory as playlist_name")
	}
	switch {
	case segmentDir == "":
	case dir == segmentDir:
		segmentDir = ""
	case dir == "":
		dir, segmentDir = segmentDir, ""
	}
	name, liveName = withoutEnding(name), withoutEnding(liveName)
	if name == "" {
		if name = segmentName; name == "" {
			name = defaultName(j.identifier(), j.Info.RetryCount, time.Now())
		}
	}
	if segmentName == "" {
		segmentName = name
	}
	s.Dir, s.Playlist, s.Prefix = dir, name+".m3u8", segmentDir+segmentName
	if liveName != "" {
		s.LivePlaylist = liveName + ".m3u8"
	}
	if s.LivePlaylist == s.Playlist {
		return errInput("live_playlist_name cannot be identical to playlist_name")
	}
	s.record()
	return nil
}

func (s *Segments) record() {
	s.Info.PlaylistName = s.Stored(s.Playlist)
	if s.LivePlaylist != "" {
		s.Info.LivePlaylistName = s.Stored(s.LivePlaylist)
	}
}

// fill replaces what only the room could tell.
func (s *Segments) fill(extra map[string]string) {
	for _, text := range []*string{&s.Dir, &s.Playlist, &s.LivePlaylist, &s.Prefix} {
		*text = replaceAll(*text, extra)
	}
	s.record()
}

func withoutEnding(name string) string {
	if i := strings.LastIndex(name, "."); i >= 0 {
		return name[:i]
	}
	return name
}

func (j *Job) images(conf *config.Config, req *livekit.ImageOutput, upload egress.UploadRequest) error {
	if c := req.GetImageCodec(); c != livekit.ImageCodec_IC_DEFAULT && c != livekit.ImageCodec_IC_JPEG {
		return psrpc.NewErrorf(psrpc.InvalidArgument, "no supported codec is compatible with all outputs")
	}
	if _, known := livekit.ImageFileSuffix_name[int32(req.GetFilenameSuffix())]; !known {
		return errInput("filename_suffix")
	}
	if err := checkStorage(conf, upload); err != nil {
		return err
	}
	full := replaceAll(CleanPath(req.GetFilenamePrefix()), j.known(time.Now()))
	i := &Images{
		folder: folder{root: conf.Storage.Prefix}, Info: &livekit.ImagesInfo{FilenamePrefix: full}, Suffix: req.GetFilenameSuffix(),
		Every: time.Duration(req.GetCaptureInterval()) * time.Second, Width: req.GetWidth(), Height: req.GetHeight(),
		DisableManifest: req.GetDisableManifest(),
	}
	if i.Every == 0 {
		i.Every = defaultCapture
	}
	if i.Dir, i.Prefix = path.Split(full); i.Prefix == "" {
		i.Prefix = defaultName(j.identifier(), j.Info.RetryCount, time.Now())
	}
	j.Images = append(j.Images, i)
	j.Info.ImageResults = append(j.Info.ImageResults, i.Info)
	return nil
}

func (i *Images) fill(extra map[string]string) {
	for _, text := range []*string{&i.Dir, &i.Prefix, &i.Info.FilenamePrefix} {
		*text = replaceAll(*text, extra)
	}
}

// fitKeyFrames gives streams their key frames; segments beside them become as short as the interval that was asked for.
func (e *Encoding) fitKeyFrames(segments *Segments, streams *Streams) {
	if segments == nil {
		if e.KeyFrameSeconds == 0 && streams != nil {
			e.KeyFrameSeconds = streamKeySecs
		}
		return
	}
	if streams != nil && e.KeyFrameSeconds > 0 {
		segments.Duration = min(segments.Duration, max(1, time.Duration(e.KeyFrameSeconds))*time.Second)
	}
	e.KeyFrameSeconds = 0
}
