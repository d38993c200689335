// Outputs: a local file, HLS segments, images and streams, alone or together. What the stand-in cannot do is refused by
// name, the rest as the real worker refuses it.
package job

import (
	"net/url"
	"path"
	"strings"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/config"
)

var errNotRetryable = psrpc.NewErrorf(psrpc.FailedPrecondition, "output configuration does not support retry")

// fileRequest is a file output in any of its three protobuf forms.
type fileRequest struct {
	path            string
	fileType        livekit.EncodedFileType
	disableManifest bool
	upload          egress.UploadRequest
}

func (j *Job) encodedOutputs(conf *config.Config, req egress.EncodedOutput) error {
	file, stream, segments, err := singleOutputs(req)
	if err != nil {
		return err
	}
	// The real worker looks at the plural lists alone to decide whether an output is the only one.
	files, streams, lists, images := len(req.GetFileOutputs()), len(req.GetStreamOutputs()), len(req.GetSegmentOutputs()), req.GetImageOutputs()
	if file != nil {
		if err := j.file(conf, fileRequest{file.Filepath, file.FileType, file.DisableManifest, file}); err != nil {
			return err
		}
		j.onlyFile(streams+lists+len(images) == 0)
	}
	if stream != nil {
		if urls := stream.GetUrls(); stream.GetProtocol() == livekit.StreamProtocol_WEBSOCKET && len(urls) > 0 {
			return errURL(urls[0], "invalid scheme") // here the real worker knows websockets by their URLs alone
		}
		if err := j.stream(stream); err != nil {
			return err
		}
		alone := files+lists+len(images) == 0
		if alone && len(stream.Urls) == 0 {
			return errInput("stream url")
		}
		j.onlyStream(alone)
	}
	if segments != nil {
		if err := j.segments(conf, segments, segments); err != nil {
			return err
		}
		j.onlySegments(streams+files+len(images) == 0)
	}
	if len(images) > 0 && !j.Video {
		return errInput("audio_only images")
	}
	for _, i := range images {
		if err := j.images(conf, i, i); err != nil {
			return err
		}
	}
	return j.outputsDone()
}

// singleOutputs takes each kind from its list, or else from the deprecated field.
func singleOutputs(req egress.EncodedOutput) (file *livekit.EncodedFileOutput, stream *livekit.StreamOutput, segments *livekit.SegmentedFileOutput, err error) {
	if old, ok := req.(egress.EncodedOutputDeprecated); ok {
		file, stream, segments = old.GetFile(), old.GetStream(), old.GetSegments()
	}
	if l := req.GetFileOutputs(); len(l) > 0 {
		file = l[0]
	}
	if l := req.GetStreamOutputs(); len(l) > 0 {
		stream = l[0]
	}
	if l := req.GetSegmentOutputs(); len(l) > 0 {
		segments = l[0]
	}
	switch {
	case len(req.GetFileOutputs()) > 1:
		err = errInput("multiple file outputs")
	case len(req.GetStreamOutputs()) > 1:
		err = errInput("multiple stream outputs")
	case len(req.GetSegmentOutputs()) > 1:
		err = errInput("multiple segmented file outputs")
	}
	return file, stream, segments, err
}

func (j *Job) directOutput(conf *config.Config, req *livekit.TrackEgressRequest) error {
	switch o := req.Output.(type) {
	case *livekit.TrackEgressRequest_File:
		if err := j.file(conf, fileRequest{o.File.GetFilepath(), livekit.EncodedFileType_DEFAULT_FILETYPE, o.File.GetDisableManifest(), o.File}); err != nil {
			return err
		}
		j.onlyFile(true)
		return nil
	case *livekit.TrackEgressRequest_WebsocketUrl:
		return refuseWebsockets(o.WebsocketUrl)
	}
	return errInput("output")
}

func (j *Job) unifiedOutputs(conf *config.Config, req *livekit.StartEgressRequest) error {
	if len(req.Outputs) == 0 {
		return errInput("output")
	}
	for _, out := range req.Outputs {
		if err := j.unifiedOutput(conf, out, firstStorage(out.Storage, req.Storage)); err != nil {
			return err
		}
	}
	kinds := 0
	for _, has := range []bool{j.Path != nil, j.Streams != nil, j.Segments != nil, len(j.Images) > 0} {
		if has {
			kinds++
		}
	}
	j.onlyFile(kinds == 1 && j.Path != nil)
	j.onlyStream(kinds == 1 && j.Streams != nil && len(j.Info.StreamResults) > 0)
	j.onlySegments(kinds == 1 && j.Segments != nil)
	return j.outputsDone()
}

func (j *Job) unifiedOutput(conf *config.Config, out *livekit.Output, storage egress.UploadRequest) error {
	switch o := out.Config.(type) {
	case *livekit.Output_File:
		if j.Path != nil {
			return errInput("multiple file outputs")
		}
		return j.file(conf, fileRequest{o.File.GetFilepath(), o.File.GetFileType(), o.File.GetDisableManifest(), storage})
	case *livekit.Output_Stream:
		if j.Streams != nil {
			return errInput("multiple stream outputs")
		}
		return j.stream(o.Stream)
	case *livekit.Output_Segments:
		if j.Segments != nil {
			return errInput("multiple segmented file outputs")
		}
		return j.segments(conf, o.Segments, storage)
	case *livekit.Output_Images:
		if !j.Video {
			return errInput("audio_only images")
		}
		return j.images(conf, o.Images, storage)
	}
	return errInput("output config")
}

func firstStorage(perOutput, perRequest *livekit.StorageConfig) egress.UploadRequest {
	if perOutput != nil {
		return perOutput
	}
	return perRequest
}

// outputsDone settles what depends on all outputs together.
func (j *Job) outputsDone() error {
	if j.OutputCount() == 0 {
		return errInput("output")
	}
	if j.Path == nil && j.Segments == nil && j.Streams == nil {
		j.Audio, j.Want.AudioTrackID = false, "" // images alone
	}
	j.Encoding.fitKeyFrames(j.Segments, j.Streams)
	return nil
}

// OutputCount is how many outputs are left; an egress without one ends.
func (j *Job) OutputCount() int {
	n := len(j.Images)
	if j.Path != nil {
		n++
	}
	if j.Segments != nil {
		n++
	}
	if j.Streams != nil {
		n += j.Streams.Open()
	}
	return n
}

func (j *Job) file(conf *config.Config, f fileRequest) error {
	if err := checkStorage(conf, f.upload); err != nil {
		return err
	}
	clean := CleanPath(f.path)
	explicit := clean != "" && !strings.HasSuffix(clean, "/")
	if j.Info.RetryCount > 0 && explicit && !strings.Contains(clean, "{retry}") {
		return errNotRetryable
	}
	j.Path = &FilePath{Template: clean, Prefix: conf.Storage.Prefix}
	j.DisableManifest = f.disableManifest
	j.Encoding.requestContainer(f.fileType)
	j.Info.FileResults = []*livekit.FileInfo{j.File}
	return nil
}

func (j *Job) stream(req *livekit.StreamOutput) error {
	protocol, err := streamProtocol(req)
	if err != nil {
		return err
	}
	j.Streams = &Streams{Protocol: protocol}
	for _, raw := range req.GetUrls() {
		s, err := j.Streams.Add(raw)
		if err != nil {
			return err
		}
		j.Info.StreamResults = append(j.Info.StreamResults, s.Info)
	}
	j.Encoding.AudioCodec, j.Encoding.VideoCodec = AAC, H264
	return nil
}

func streamProtocol(req *livekit.StreamOutput) (Container, error) {
	switch req.GetProtocol() {
	case livekit.StreamProtocol_RTMP:
		return RTMP, nil
	case livekit.StreamProtocol_SRT:
		return SRT, nil
	case livekit.StreamProtocol_WEBSOCKET:
		return AnyContainer, refuseWebsockets(req.GetUrls()...)
	}
	if len(req.GetUrls()) == 0 {
		return AnyContainer, errInput("stream protocol")
	}
	first := req.GetUrls()[0]
	u, err := url.Parse(first)
	if err != nil {
		return AnyContainer, errURL(first, err.Error())
	}
	protocol, ok := schemes[u.Scheme]
	switch {
	case u.Scheme == "ws" || u.Scheme == "wss":
		return AnyContainer, errUnsupported("websocket outputs")
	case !ok:
		return AnyContainer, errURL(first, "invalid protocol")
	}
	return protocol, nil
}

// refuseWebsockets complains of what the real worker would complain of, before it says what the stand-in cannot.
func refuseWebsockets(urls ...string) error {
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil {
			return errURL(raw, err.Error())
		}
		if u.Scheme != "ws" && u.Scheme != "wss" {
			return errURL(raw, "invalid scheme")
		}
	}
	return errUnsupported("websocket outputs")
}

// The deprecated single result is filled when there is one kind of output, because older clients read it.

func (j *Job) onlyFile(only bool) {
	if only {
		j.Info.Result = &livekit.EgressInfo_File{File: j.File} //nolint:staticcheck // deprecated
	}
}

func (j *Job) onlyStream(only bool) {
	if only {
		j.Info.Result = &livekit.EgressInfo_Stream{Stream: &livekit.StreamInfoList{Info: j.Info.StreamResults}} //nolint:staticcheck // deprecated
	}
}

func (j *Job) onlySegments(only bool) {
	if only {
		j.Info.Result = &livekit.EgressInfo_Segments{Segments: j.Segments.Info} //nolint:staticcheck // deprecated
	}
}

func checkStorage(conf *config.Config, up egress.UploadRequest) error {
	switch {
	case up.GetS3() != nil:
		return errUnsupported("uploads to S3")
	case up.GetGcp() != nil:
		return errUnsupported("uploads to GCP")
	case up.GetAzure() != nil:
		return errUnsupported("uploads to Azure")
	case up.GetAliOSS() != nil:
		return errUnsupported("uploads to AliOSS")
	}
	for name, set := range map[string]map[string]any{"S3": conf.Storage.S3, "GCP": conf.Storage.GCP, "Azure": conf.Storage.Azure, "AliOSS": conf.Storage.AliOSS} {
		if set != nil {
			return errUnsupported("uploads to " + name + " (from the worker's storage configuration)")
		}
	}
	if conf.DisallowLocalStorage {
		return errInput("output")
	}
	return nil
}

// ManifestPaths are where the manifest goes: beside every output that wants one.
func (j *Job) ManifestPaths() []string {
	var dirs []string
	if j.Path != nil && !j.DisableManifest {
		dirs = append(dirs, path.Dir(j.Path.Location()))
	}
	if s := j.Segments; s != nil && !s.DisableManifest {
		dirs = append(dirs, path.Dir(s.Place(s.Playlist)))
	}
	for _, i := range j.Images {
		if !i.DisableManifest {
			dirs = append(dirs, path.Dir(i.Place(i.Prefix)))
		}
	}
	var paths []string
	seen := map[string]bool{}
	for _, d := range dirs {
		if !seen[d] {
			seen[d] = true
			paths = append(paths, path.Join(d, j.ID+".json"))
		}
	}
	return paths
}
