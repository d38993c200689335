// One subscribed track: packets in, frames with times out.
package media

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/logger"
	"github.com/livekit/server-sdk-go/v2/pkg/samplebuilder"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

const (
	videoReorder = 300 // packets kept while waiting for a missing one
	audioReorder = 10
	keyframeWait = time.Second
)

// sink takes finished frames.
type sink interface {
	write(data []byte, at time.Duration) error
	Flush() error
	Close() error
}

// Span is a piece of the recording's clock.
type Span struct{ From, To time.Duration }

// Recorded is what a track left on disk.
type Recorded struct {
	TrackID, Identity string
	Video             bool
	MimeType          string
	File              string
	Offset            time.Duration // of the first frame, on the recording's clock
	End               time.Duration // when the track ended
	Width, Height     int
	Channel           int32
	Muted             []Span
	Frames            int
}

// trackWriter records one track until it ends.
type trackWriter struct {
	rec     Recorded
	clock   func() time.Duration
	line    *Timeline
	builder *samplebuilder.SampleBuilder
	needKey func()
	out     sink

	mu      sync.Mutex
	gotKey  bool
	lastPLI time.Time
	mutedAt time.Duration
	muted   bool
}

type codecInfo struct {
	fourCC       string
	depacketizer rtp.Depacketizer
}

func videoCodec(mime string) (codecInfo, bool) {
	switch strings.ToLower(mime) {
	case strings.ToLower(webrtc.MimeTypeVP8):
		return codecInfo{"VP80", &codecs.VP8Packet{}}, true
	case strings.ToLower(webrtc.MimeTypeVP9):
		return codecInfo{"VP90", &codecs.VP9Packet{}}, true
	case strings.ToLower(webrtc.MimeTypeH264):
		return codecInfo{"H264", &codecs.H264Packet{}}, true
	}
	return codecInfo{}, false
}

func newTrackWriter(dir string, rec Recorded, codec webrtc.RTPCodecParameters, clock func() time.Duration, needKey func()) (*trackWriter, error) {
	w := &trackWriter{rec: rec, clock: clock, needKey: needKey, line: NewTimeline(codec.ClockRate)}
	w.rec.MimeType = codec.MimeType
	if !rec.Video {
		return w, w.openAudio(dir, codec)
	}
	info, ok := videoCodec(codec.MimeType)
	if !ok {
		return nil, fmt.Errorf("codec %s cannot be recorded: use VP8, VP9 or H.264", codec.MimeType)
	}
	w.builder = samplebuilder.New(videoReorder, info.depacketizer, codec.ClockRate, samplebuilder.WithPacketDroppedHandler(w.requestKey))
	file, err := w.create(dir, ".ivf")
	if err != nil {
		return nil, err
	}
	ivf, err := newIVF(file, info.fourCC, rec.Width, rec.Height)
	w.out = videoSink{ivf}
	return w, err
}

func (w *trackWriter) openAudio(dir string, codec webrtc.RTPCodecParameters) error {
	if !strings.EqualFold(codec.MimeType, webrtc.MimeTypeOpus) {
		return fmt.Errorf("codec %s cannot be recorded: use Opus", codec.MimeType)
	}
	w.builder = samplebuilder.New(audioReorder, &codecs.OpusPacket{}, codec.ClockRate)
	file, err := w.create(dir, ".ogg")
	if err != nil {
		return err
	}
	ogg, err := newOpusFile(file, 2)
	w.out = audioSink{ogg}
	return err
}

func (w *trackWriter) create(dir, ext string) (*os.File, error) {
	f, err := os.CreateTemp(dir, w.rec.TrackID+"-*"+ext)
	if err == nil {
		w.rec.File = f.Name()
	}
	return f, err
}

// run reads until the track ends or the connection is closed.
func (w *trackWriter) run(read func() (*rtp.Packet, error)) {
	w.requestKey()
	for {
		p, err := read()
		if err != nil {
			w.close()
			return
		}
		w.push(p, w.clock())
	}
}

func (w *trackWriter) push(p *rtp.Packet, arrival time.Duration) {
	if len(p.Payload) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return
	}
	if w.rec.Video && !w.gotKey && time.Since(w.lastPLI) > keyframeWait {
		w.requestKeyLocked()
	}
	w.line.Observe(p.Timestamp, arrival)
	w.builder.Push(p)
	for {
		sample, ts := w.builder.PopWithTimestamp()
		if sample == nil {
			return
		}
		w.frame(sample.Data, ts)
	}
}

func (w *trackWriter) frame(data []byte, ts uint32) {
	if w.rec.Video && !w.gotKey {
		if !isKeyframe(w.rec.MimeType, data) {
			return
		}
		w.gotKey = true
	}
	w.rec.Frames++
	if err := w.out.write(data, w.sinceFirst(ts)); err != nil {
		logger.Errorw("could not write a frame", err, "trackID", w.rec.TrackID)
	}
}

// sinceFirst makes file times start at zero even when the first packets were no keyframe.
func (w *trackWriter) sinceFirst(ts uint32) time.Duration {
	if w.rec.Frames == 1 {
		w.rec.Offset = w.line.At(ts)
	}
	return w.line.At(ts) - w.rec.Offset
}

func (w *trackWriter) requestKey() {
	if w.rec.Video && w.needKey != nil && time.Since(w.lastPLI) > keyframeWait/2 {
		w.requestKeyLocked()
	}
}

func (w *trackWriter) requestKeyLocked() {
	w.lastPLI = time.Now()
	if w.needKey != nil {
		go w.needKey()
	}
}

// setMuted remembers when there was nothing to show.
func (w *trackWriter) setMuted(muted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if muted == w.muted {
		return
	}
	w.muted = muted
	if muted {
		w.mutedAt = w.clock()
		return
	}
	w.rec.Muted = append(w.rec.Muted, Span{w.mutedAt, w.clock()})
}

// close ends the file; it may be called more than once.
func (w *trackWriter) close() Recorded {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return w.rec
	}
	for {
		sample, ts := w.builder.ForcePopWithTimestamp()
		if sample == nil {
			break
		}
		w.frame(sample.Data, ts)
	}
	if err := w.out.Close(); err != nil {
		logger.Errorw("could not close a track file", err, "trackID", w.rec.TrackID)
	}
	w.out = nil
	now := w.upToNow()
	w.rec.End, w.rec.Muted, w.rec.Offset = now.End, now.Muted, now.Offset
	logger.Infow("track ended", "trackID", w.rec.TrackID, "frames", w.rec.Frames, "offset", w.rec.Offset.String(), "end", w.rec.End.String())
	return w.rec
}

// snapshot is what close would return now, with every frame so far on disk.
func (w *trackWriter) snapshot() Recorded {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return w.rec
	}
	if err := w.out.Flush(); err != nil {
		logger.Errorw("could not write a track file", err, "trackID", w.rec.TrackID)
	}
	return w.upToNow()
}

func (w *trackWriter) upToNow() Recorded {
	rec := w.rec
	rec.End = w.clock()
	rec.Muted = append([]Span(nil), rec.Muted...)
	if w.muted {
		rec.Muted = append(rec.Muted, Span{w.mutedAt, rec.End})
	}
	rec.Offset += w.line.Offset()
	return rec
}

type videoSink struct{ *ivfFile }

func (s videoSink) write(data []byte, at time.Duration) error { return s.frame(data, at) }

type audioSink struct{ *opusFile }

func (s audioSink) write(data []byte, at time.Duration) error { return s.packet(data, at) }

// isKeyframe looks at the frame itself; a file must begin with one.
func isKeyframe(mime string, data []byte) bool {
	switch {
	case len(data) == 0:
		return false
	case strings.EqualFold(mime, webrtc.MimeTypeVP8):
		return data[0]&1 == 0
	case strings.EqualFold(mime, webrtc.MimeTypeVP9):
		return data[0]&0xCC == 0x80 // frame marker, a frame of its own, key frame
	}
	return hasH264Key(data)
}

// hasH264Key wants the parameter sets in front of the picture: a decoder cannot start without them.
func hasH264Key(data []byte) bool {
	sps, idr := false, false
	for i := 0; i+3 < len(data); i++ {
		if data[i] == 0 && data[i+1] == 0 && data[i+2] == 1 {
			switch data[i+3] & 0x1F {
			case 7:
				sps = true
			case 5:
				idr = true
			}
		}
	}
	return sps && idr
}
