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

// Encoding is what the finished file should look like. Bit rates are in kbit/s.
type Encoding struct {
	Width, Height, FPS int32
	VideoKbps          int32
	Profile            string
	KeyFrameSeconds    float64
	AudioKbps, AudioHz int32
	AudioCodec         AudioCodec
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

// holds lists which audio codecs a container takes, the default first. Only MP4 takes video.
var holds = map[Container][]AudioCodec{
	OGG: {Opus},
	MP4: {AAC, Opus},
	MP3: {MP3Audio, Opus, AAC},
}

func (e *Encoding) chooseContainer(audio, video bool) error {
	if e.Container == AnyContainer {
		if e.Container = e.defaultContainer(video); e.Container == AnyContainer {
			return psrpc.NewErrorf(psrpc.InvalidArgument, "no supported file output type is compatible with the selected codecs")
		}
	}
	if video && e.Container != MP4 {
		return e.incompatible("video/h264")
	}
	if !audio {
		return nil
	}
	if e.AudioCodec == AnyAudio {
		e.AudioCodec = holds[e.Container][0]
	}
	if !contains(holds[e.Container], e.AudioCodec) {
		return e.incompatible(string(e.AudioCodec))
	}
	if e.Container == MP3 {
		e.AudioCodec = MP3Audio
	}
	return nil
}

func (e *Encoding) defaultContainer(video bool) Container {
	order := []Container{OGG, MP4, MP3}
	if video {
		order = []Container{MP4}
	}
	for _, c := range order {
		if e.AudioCodec == AnyAudio || contains(holds[c], e.AudioCodec) {
			return c
		}
	}
	return AnyContainer
}

func (e *Encoding) incompatible(codec string) error {
	if e.AudioCodec == AnyAudio {
		return psrpc.NewErrorf(psrpc.InvalidArgument, "no supported codec is compatible with all outputs")
	}
	return psrpc.NewErrorf(psrpc.InvalidArgument, "format %v incompatible with codec %v", e.Container, codec)
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
