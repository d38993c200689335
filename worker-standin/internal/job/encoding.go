// Encoding options and the choice of container.
package job

import (
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"
)

// Container is the kind of file, by its MIME type.
type Container string

// Containers the stand-in can write.
const (
	AnyContainer Container = ""
	MP4          Container = "video/mp4"
	OGG          Container = "audio/ogg"
	MP3          Container = "audio/mpeg"
	WebM         Container = "video/webm"
	HLS          Container = "application/x-mpegurl"
	TS           Container = "video/mp2t"
	JPEG         Container = "image/jpeg"
	RTMP         Container = "rtmp"
	SRT          Container = "srt"
)

// AudioCodec of the finished file.
type AudioCodec string

// Audio codecs.
const (
	AnyAudio AudioCodec = ""
	AAC      AudioCodec = "audio/aac"
	Opus     AudioCodec = "audio/opus"
	MP3Audio AudioCodec = "audio/mpeg"
)

// VideoCodec of the finished file; empty when the request named none.
type VideoCodec string

// H264 is the only one.
const H264 VideoCodec = "video/h264"

// Encoding is what the finished file should look like. Bit rates are in kbit/s.
type Encoding struct {
	Width, Height, FPS int32
	VideoKbps          int32
	Profile            string
	KeyFrameSeconds    float64
	AudioKbps, AudioHz int32
	AudioCodec         AudioCodec
	VideoCodec         VideoCodec
	Container          Container
}

func defaultEncoding() Encoding {
	return Encoding{Width: 1280, Height: 720, FPS: 30, VideoKbps: 3000, Profile: "main", AudioKbps: 128, AudioHz: 44100}
}

// presets: width, height, frames per second, kbit/s.
var presets = map[livekit.EncodingOptionsPreset][4]int32{
	livekit.EncodingOptionsPreset_H264_720P_30:           {1280, 720, 30, 3000},
	livekit.EncodingOptionsPreset_H264_720P_60:           {1280, 720, 60, 4500},
	livekit.EncodingOptionsPreset_H264_1080P_30:          {1920, 1080, 30, 4500},
	livekit.EncodingOptionsPreset_H264_1080P_60:          {1920, 1080, 60, 6000},
	livekit.EncodingOptionsPreset_PORTRAIT_H264_720P_30:  {720, 1280, 30, 3000},
	livekit.EncodingOptionsPreset_PORTRAIT_H264_720P_60:  {720, 1280, 60, 4500},
	livekit.EncodingOptionsPreset_PORTRAIT_H264_1080P_30: {1080, 1920, 30, 4500},
	livekit.EncodingOptionsPreset_PORTRAIT_H264_1080P_60: {1080, 1920, 60, 6000},
}

func (e *Encoding) apply(preset livekit.EncodingOptionsPreset, advanced *livekit.EncodingOptions) error {
	if advanced == nil {
		if p, ok := presets[preset]; ok {
			e.Width, e.Height, e.FPS, e.VideoKbps = p[0], p[1], p[2], p[3]
		}
		return nil
	}
	e.applyAudio(advanced)
	return e.applyVideo(advanced)
}

func (e *Encoding) applyAudio(o *livekit.EncodingOptions) {
	switch o.AudioCodec {
	case livekit.AudioCodec_OPUS:
		e.AudioCodec = Opus
	case livekit.AudioCodec_AAC:
		e.AudioCodec = AAC
	case livekit.AudioCodec_AC_MP3:
		e.AudioCodec = MP3Audio
	}
	override(&e.AudioKbps, o.AudioBitrate)
	override(&e.AudioHz, o.AudioFrequency)
}

func (e *Encoding) applyVideo(o *livekit.EncodingOptions) error {
	if o.VideoCodec != livekit.VideoCodec_DEFAULT_VC {
		e.VideoCodec = H264
	}
	switch o.VideoCodec {
	case livekit.VideoCodec_H264_BASELINE:
		e.Profile = "baseline"
	case livekit.VideoCodec_H264_HIGH:
		e.Profile = "high"
	}
	if !validSide(o.Width) {
		return errInput("width")
	}
	if !validSide(o.Height) {
		return errInput("height")
	}
	if o.Depth != 0 && o.Depth != 8 && o.Depth != 16 && o.Depth != 24 {
		return errInput("depth")
	}
	override(&e.Width, o.Width)
	override(&e.Height, o.Height)
	override(&e.FPS, o.Framerate)
	override(&e.VideoKbps, o.VideoBitrate)
	e.KeyFrameSeconds = o.KeyFrameInterval
	return nil
}

func validSide(pixels int32) bool {
	return pixels <= 0 || pixels >= 16 && pixels%2 == 0
}

func override(into *int32, v int32) {
	if v > 0 {
		*into = v
	}
}

func (e *Encoding) requestContainer(t livekit.EncodedFileType) {
	switch t {
	case livekit.EncodedFileType_MP4:
		e.Container = MP4
	case livekit.EncodedFileType_OGG:
		e.Container = OGG
	case livekit.EncodedFileType_MP3:
		e.Container = MP3
	}
}

// holds lists which audio codecs a container takes, the default first. Only some take video.
var holds = map[Container][]AudioCodec{
	OGG:  {Opus},
	MP4:  {AAC, Opus},
	MP3:  {MP3Audio, Opus, AAC},
	HLS:  {AAC},
	RTMP: {AAC},
	SRT:  {AAC},
}

var takesVideo = map[Container]bool{MP4: true, HLS: true, RTMP: true, SRT: true}

// chooseFormats finds the codecs that all outputs take, and from them the kind of file where the request left it open.
func (j *Job) chooseFormats() error {
	var fixed []Container
	if j.Segments != nil {
		fixed = append(fixed, HLS)
	}
	if j.Streams != nil {
		fixed = append(fixed, j.Streams.Protocol)
	}
	return j.Encoding.chooseContainer(j.Audio, j.Video, j.Path != nil, fixed...)
}

func (e *Encoding) chooseContainer(audio, video, file bool, fixed ...Container) error {
	all := fixed
	if file && e.Container != AnyContainer {
		all = append([]Container{e.Container}, fixed...)
	}
	codecs := []AudioCodec{AAC, Opus, MP3Audio}
	if e.AudioCodec != AnyAudio {
		codecs = []AudioCodec{e.AudioCodec}
	}
	for _, c := range all {
		if audio {
			if codecs = common(codecs, holds[c]); len(codecs) == 0 {
				return e.incompatible(c, string(e.AudioCodec))
			}
		}
	}
	for _, c := range all {
		if video && !takesVideo[c] {
			return e.incompatible(c, string(e.VideoCodec))
		}
	}
	if file && e.Container == AnyContainer {
		if e.Container = defaultContainer(codecs, audio, video); e.Container == AnyContainer {
			return psrpc.NewErrorf(psrpc.InvalidArgument, "no supported file output type is compatible with the selected codecs")
		}
		all = append([]Container{e.Container}, fixed...)
	}
	if audio {
		e.AudioCodec = chosen(codecs, all)
	}
	if e.Container == MP3 {
		e.AudioCodec = MP3Audio
	}
	return nil
}

// chosen is the first output's default codec that all outputs take.
func chosen(codecs []AudioCodec, outputs []Container) AudioCodec {
	for _, c := range outputs {
		if contains(codecs, holds[c][0]) {
			return holds[c][0]
		}
	}
	return codecs[0]
}

func common(a, b []AudioCodec) []AudioCodec {
	var both []AudioCodec
	for _, c := range a {
		if contains(b, c) {
			both = append(both, c)
		}
	}
	return both
}

func defaultContainer(codecs []AudioCodec, audio, video bool) Container {
	order := []Container{OGG, MP4, MP3}
	if video {
		order = []Container{MP4}
	}
	for _, c := range order {
		if !audio || len(common(codecs, holds[c])) > 0 {
			return c
		}
	}
	return AnyContainer
}

func (e *Encoding) incompatible(format Container, codec string) error {
	if e.AudioCodec == AnyAudio {
		return psrpc.NewErrorf(psrpc.InvalidArgument, "no supported codec is compatible with all outputs")
	}
	return psrpc.NewErrorf(psrpc.InvalidArgument, "format %v incompatible with codec %v", format, codec)
}

func contains(list []AudioCodec, c AudioCodec) bool {
	for _, x := range list {
		if x == c {
			return true
		}
	}
	return false
}

// Extension of files in this container; empty while it is not known yet.
func (c Container) Extension() string {
	switch c {
	case MP4:
		return ".mp4"
	case OGG:
		return ".ogg"
	case MP3:
		return ".mp3"
	case WebM:
		return ".webm"
	}
	return ""
}

// OutputHz is the sample rate of the file; Opus knows only its own.
func (e Encoding) OutputHz() int32 {
	if e.AudioCodec == Opus {
		return 48000
	}
	return e.AudioHz
}
