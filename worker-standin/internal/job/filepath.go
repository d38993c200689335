// File names: cleaning, placeholders, extensions and default names, as the real worker makes them.
package job

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// FilePath is the requested path on its way to a real one.
type FilePath struct {
	Template string // cleaned, placeholders still in it
	Prefix   string // from the worker's storage configuration
	Resolved string // empty until every part is known
}

// mediaExtensions are replaced when they do not fit the container; any other ending is part of the name.
var mediaExtensions = map[string]bool{
	".raw": true, ".ogg": true, ".mp3": true, ".ivf": true, ".mp4": true,
	".ts": true, ".webm": true, ".m3u8": true, ".jpeg": true,
}

// CleanPath removes dot segments and everything that climbs above the storage root.
func CleanPath(p string) string {
	directory := strings.HasSuffix(p, "/")
	p = path.Clean(p)
	for strings.HasPrefix(p, "../") {
		p = strings.TrimPrefix(p, "../")
	}
	switch {
	case p == "" || p == "." || p == "..":
		return ""
	case directory && p != "/":
		return p + "/"
	}
	return p
}

// ResolvePath fills in what is known; it may run again when a participant or track adds more.
func (j *Job) ResolvePath(identifier string, extra map[string]string) {
	now := time.Now()
	if j.Path != nil {
		known := j.known(now)
		for k, v := range extra {
			known[k] = v
		}
		j.Path.resolve(identifier, known, j.Encoding.Container.Extension(), j.Info.RetryCount, now)
		j.File.Filename = j.Path.Resolved
	}
	if j.Segments != nil {
		j.Segments.fill(extra)
	}
	for _, i := range j.Images {
		i.fill(extra)
	}
}

// known are the placeholders that need no room to be joined.
func (j *Job) known(now time.Time) map[string]string {
	known := map[string]string{"{time}": now.Format("2006-01-02T150405"), "{utc}": utcStamp(now)}
	if j.Info.RoomName != "" {
		known["{room_name}"] = j.Info.RoomName
		known["{room_id}"] = j.Info.RoomId
	}
	if j.Info.RetryCount > 0 {
		known["{retry}"] = fmt.Sprint(j.Info.RetryCount)
	}
	return known
}

func (f *FilePath) resolve(identifier string, known map[string]string, ext string, retry int32, now time.Time) {
	p := f.Template
	if f.Resolved != "" {
		p = f.Resolved
	}
	p = replaceAll(p, known)
	if p == "" || strings.HasSuffix(p, "/") {
		p += defaultName(identifier, retry, now)
	}
	f.Resolved = withExtension(p, ext)
}

func replaceAll(text string, known map[string]string) string {
	for placeholder, value := range known {
		text = strings.ReplaceAll(text, placeholder, value)
	}
	return text
}

func defaultName(identifier string, retry int32, now time.Time) string {
	name := fmt.Sprintf("%s-%s", identifier, now.Format("2006-01-02T150405"))
	if retry > 0 {
		name = fmt.Sprintf("%s-%d", name, retry)
	}
	return name
}

func withExtension(p, ext string) string {
	if strings.HasSuffix(p, ext) {
		return p
	}
	if old := path.Ext(p); mediaExtensions[old] {
		p = strings.TrimSuffix(p, old)
	}
	return p + ext
}

func utcStamp(t time.Time) string {
	return fmt.Sprintf("%s%03d", t.Format("20060102150405"), t.UnixMilli()%1000)
}

// Location is the absolute place of the finished file.
func (f *FilePath) Location() string {
	abs, err := filepath.Abs(path.Join(f.Prefix, f.Resolved))
	if err != nil {
		return path.Join("/", f.Prefix, f.Resolved)
	}
	return abs
}

func (j *Job) identifier() string {
	if j.Info.RoomName != "" {
		return j.Info.RoomName
	}
	return "web"
}
