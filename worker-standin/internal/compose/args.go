// The ffmpeg arguments of a composition.
package compose

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"reelkit/worker-standin/internal/job"
)

// Track is one recorded track on the recording's clock.
type Track struct {
	File          string
	Video         bool
	Owner         string
	Start, End    time.Duration
	Skip          time.Duration // of the file's beginning
	Width, Height int
	Channel       int // 0 both, 1 left, 2 right
	Hidden        []Span
}

// Span is a piece of time in which a track shows nothing.
type Span struct{ From, To time.Duration }

// Request is one file to make.
type Request struct {
	Tracks       []Track
	Preroll      time.Duration // of the recording's clock that is drawn but not kept
	Duration     time.Duration // of what is kept
	Offset       time.Duration // of the times in the file
	Audio, Video bool
	Encoding     job.Encoding
	Out          string
	Threads      int
}

const mixRate = 48000

// Args builds the command line that composes the request.
func Args(r Request) []string {
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y"}
	videos, audios := split(r)
	for _, t := range videos {
		args = append(args, "-threads", "1", "-reinit_filter", "0", "-itsoffset", seconds(t.Start))
		args = append(args, input(t)...)
	}
	for _, t := range audios {
		args = append(args, input(t)...)
	}
	var graph []string
	if r.Video {
		graph = append(graph, picture(r, videos)...)
	}
	if r.Audio {
		graph = append(graph, sound(r, audios, len(videos))...)
	}
	args = append(args, "-filter_complex_threads", "1", "-filter_complex", strings.Join(graph, ";"))
	if r.Video {
		args = append(args, videoOut(r)...)
	}
	if r.Audio {
		args = append(args, audioOut(r.Encoding)...)
	}
	if r.Preroll > 0 {
		args = append(args, "-ss", seconds(r.Preroll))
	}
	args = append(args, "-t", seconds(r.Duration), "-map_metadata", "-1")
	switch r.Encoding.Container {
	case job.MP4:
		args = append(args, "-movflags", "+faststart")
	case job.TS:
		args = append(args, "-output_ts_offset", seconds(r.Offset), "-muxdelay", "0", "-muxpreload", "0")
	case job.JPEG:
		args = append(args, "-frames:v", "1", "-update", "1")
	}
	return append(args, "-f", format(r.Encoding.Container), r.Out)
}

func input(t Track) []string {
	if t.Skip > 0 {
		return []string{"-ss", seconds(t.Skip), "-i", t.File}
	}
	return []string{"-i", t.File}
}

const preroll = 500 * time.Millisecond // a picture shows what was sent before it

// Cut is the request for a piece of a recording that may still go on.
func (r Request) Cut(from, duration time.Duration) Request {
	r.Preroll = min(preroll, from)
	begin := from - r.Preroll
	r.Duration, r.Offset = duration, from
	tracks := r.Tracks
	r.Tracks = nil
	for _, t := range tracks {
		if t.End <= begin || t.Start >= from+duration {
			continue
		}
		t.Skip = max(0, begin-t.Start)
		t.Start, t.End = max(0, t.Start-begin), t.End-begin
		hidden := t.Hidden
		t.Hidden = nil
		for _, h := range hidden {
			if h.To > begin {
				t.Hidden = append(t.Hidden, Span{max(0, h.From-begin), h.To - begin})
			}
		}
		r.Tracks = append(r.Tracks, t)
	}
	return r
}

// drawn is how much has to be made to keep the duration.
func (r Request) drawn() time.Duration { return r.Preroll + r.Duration }

// CopyArgs builds the command line that puts one track into its container unchanged.
func CopyArgs(t Track, c job.Container, out string) []string {
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-i", t.File, "-c", "copy"}
	if c == job.MP4 {
		args = append(args, "-movflags", "+faststart")
	}
	return append(args, "-f", format(c), out)
}

func split(r Request) (videos, audios []Track) {
	for _, t := range r.Tracks {
		switch {
		case t.Start >= r.drawn():
		case t.Video && r.Video:
			videos = append(videos, t)
		case !t.Video && r.Audio:
			audios = append(audios, t)
		}
	}
	return videos, audios
}

// picture draws every track onto black; before a track begins and after it ends the black shows.
func picture(r Request, videos []Track) []string {
	e := r.Encoding
	graph := []string{fmt.Sprintf("color=c=black:s=%dx%d:r=%d:d=%s,format=yuv420p[p0]", e.Width, e.Height, e.FPS, seconds(r.drawn()))}
	slot, count := Slots(videos)
	cells := Grid(count, int(e.Width), int(e.Height))
	for i, t := range videos {
		b := Fit(t.Width, t.Height, cells[slot[i]])
		graph = append(graph,
			fmt.Sprintf("[%d:v]scale=%d:%d:flags=fast_bilinear,setsar=1,format=yuv420p[s%d]", i, b.W, b.H, i),
			fmt.Sprintf("[p%d][s%d]overlay=x=%d:y=%d:eof_action=pass:enable='%s'[p%d]", i, i, b.X, b.Y, visible(t), i+1))
	}
	return append(graph, fmt.Sprintf("[p%d]null[picture]", len(videos)))
}

func visible(t Track) string {
	parts := []string{fmt.Sprintf("between(t,%s,%s)", seconds(t.Start), seconds(t.End))}
	for _, h := range t.Hidden {
		parts = append(parts, fmt.Sprintf("not(between(t,%s,%s))", seconds(h.From), seconds(h.To)))
	}
	return strings.Join(parts, "*")
}

// sound mixes every track onto silence of the full length. The whole-number samples before and after the
// mix round the near-silence of decoded Opus to true zero: on it, floating point arithmetic is three times slower.
func sound(r Request, audios []Track, firstInput int) []string {
	graph := []string{fmt.Sprintf("anullsrc=r=%d:cl=stereo,atrim=0:%s[m0]", mixRate, seconds(r.drawn()))}
	labels := "[m0]"
	for i, t := range audios {
		label := fmt.Sprintf("[m%d]", i+1)
		graph = append(graph, fmt.Sprintf("[%d:a]aresample=%d,aformat=sample_fmts=s16:channel_layouts=stereo%s,adelay=delays=%dS:all=1%s",
			firstInput+i, mixRate, pan(t.Channel), int64(t.Start)*mixRate/int64(time.Second), label))
		labels += label
	}
	mix := fmt.Sprintf("%samix=inputs=%d:duration=first:normalize=0:dropout_transition=0,aresample=%d,aformat=sample_fmts=s16[sound]", labels, len(audios)+1, r.Encoding.OutputHz())
	return append(graph, mix)
}

func pan(channel int) string {
	switch channel {
	case 1:
		return ",pan=stereo|c0=0.5*c0+0.5*c1"
	case 2:
		return ",pan=stereo|c1=0.5*c0+0.5*c1"
	}
	return ""
}

func videoOut(r Request) []string {
	e := r.Encoding
	if e.Container == job.JPEG {
		return []string{"-map", "[picture]", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3"}
	}
	bitrate := strconv.Itoa(int(e.VideoKbps)) + "k"
	args := []string{"-map", "[picture]", "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", e.Profile,
		"-b:v", bitrate, "-maxrate", bitrate, "-bufsize", strconv.Itoa(2*int(e.VideoKbps)) + "k",
		"-pix_fmt", "yuv420p", "-r", strconv.Itoa(int(e.FPS)), "-threads", strconv.Itoa(max(1, r.Threads))}
	if e.KeyFrameSeconds > 0 {
		args = append(args, "-g", strconv.Itoa(max(1, int(e.KeyFrameSeconds*float64(e.FPS)))))
	}
	return args
}

func audioOut(e job.Encoding) []string {
	encoder := map[job.AudioCodec]string{job.AAC: "aac", job.Opus: "libopus", job.MP3Audio: "libmp3lame"}[e.AudioCodec]
	args := []string{"-map", "[sound]", "-c:a", encoder, "-b:a", strconv.Itoa(int(e.AudioKbps)) + "k", "-ac", "2"}
	if e.AudioCodec == job.AAC {
		args = append(args, "-aac_coder", "fast")
	}
	return args
}

func format(c job.Container) string {
	return map[job.Container]string{job.MP4: "mp4", job.OGG: "ogg", job.MP3: "mp3", job.WebM: "webm", job.TS: "mpegts", job.JPEG: "image2"}[c]
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 6, 64)
}
