// Running ffmpeg: politely (nice, few threads), a few at a time, and never left behind.
package compose

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/livekit/protocol/logger"

	"reelkit/worker-standin/internal/job"
)

// Runner limits how many compositions run at once on this machine.
type Runner struct {
	slots chan struct{}
}

// NewRunner allows one composition per CPU.
func NewRunner() *Runner { return &Runner{slots: make(chan struct{}, runtime.NumCPU())} }

// Compose makes the file of a request. started is told the process id, for CPU accounting.
func (c *Runner) Compose(ctx context.Context, r Request, started func(pid int)) error {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	r.Threads = max(1, runtime.NumCPU()/len(c.slots))
	return run(ctx, Args(r), started)
}

// Copy makes the file of a single track without re-encoding.
func (c *Runner) Copy(ctx context.Context, t Track, container job.Container, out string, started func(pid int)) error {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	return run(ctx, CopyArgs(t, container, out), started)
}

// Stream publishes a black, silent picture to a URL until the context ends or the other side does. connected is called when
// the first of it has been sent. It takes no slot: it costs little and lasts long.
func (c *Runner) Stream(ctx context.Context, url string, protocol job.Container, e job.Encoding, audio, video bool, connected func()) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", StreamArgs(url, protocol, e, audio, video)...)
	cmd.SysProcAttr = ownGroup()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	progress, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("could not start ffmpeg: %w", err)
	}
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		// Nothing is sent before the first report with a time.
		if t, ok := strings.CutPrefix(lines.Text(), "out_time_us="); ok && t != "N/A" && t != "0" && connected != nil {
			connected()
			connected = nil
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		return errors.New(lastLine(complaints.String()))
	}
	if ctx.Err() == nil {
		return errors.New("the connection was closed")
	}
	return nil
}

func run(ctx context.Context, args []string, started func(pid int)) error {
	name := "ffmpeg"
	if nice, err := exec.LookPath("nice"); err == nil {
		args = append([]string{"-n", "2", name}, args...)
		name = nice
	}
	logger.Debugw("composing", "command", name+" "+strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = ownGroup()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("could not start ffmpeg: %w", err)
	}
	started(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, lastLine(complaints.String()))
	}
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Place moves a finished file to where it belongs, across file systems too, and returns its size.
func Place(from, to string) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	if os.Rename(from, to) != nil {
		if err := copyFile(from, to); err != nil {
			return 0, err
		}
		_ = os.Remove(from)
	}
	info, err := os.Stat(to)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Chmod(to, 0o644)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err = out.ReadFrom(in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
