// The ffmpeg arguments of a stream.
package compose

import (
	"fmt"
	"strconv"
	"strings"

	"reelkit/worker-standin/internal/job"
)

const (
	streamFPS  = 10
	streamKbps = 200
)

// StreamArgs builds the command line that publishes a black, silent picture in the size of the request.
func StreamArgs(url string, protocol job.Container, e job.Encoding, audio, video bool) []string {
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-stats_period", "0.2", "-progress", "pipe:1"}
	if video {
		args = append(args, "-re", "-f", "lavfi", "-i", fmt.Sprintf("color=c=black:s=%dx%d:r=%d", e.Width, e.Height, streamFPS))
	}
	if audio {
		args = append(args, "-re", "-f", "lavfi", "-i", fmt.Sprintf("anullsrc=r=%d:cl=stereo", e.AudioHz))
	}
	if video {
		key := strconv.Itoa(max(1, int(e.KeyFrameSeconds*streamFPS)))
		args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
			"-b:v", strconv.Itoa(streamKbps)+"k", "-g", key, "-threads", "1")
	}
	if audio {
		args = append(args, "-c:a", "aac", "-b:a", strconv.Itoa(int(e.AudioKbps))+"k")
	}
	format := "flv"
	if protocol == job.SRT {
		format = "mpegts"
	}
	return append(args, "-f", format, strings.TrimSuffix(url, " live=1"))
}
