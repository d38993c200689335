// Outputs: exactly one local file. Everything else is refused by name, or as the real worker refuses it.
package job

import (
	"path"
	"strings"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/config"
)

// fileRequest is a file output in any of its three protobuf forms.
type fileRequest struct {
	path            string
	fileType        livekit.EncodedFileType
	disableManifest bool
	upload          egress.UploadRequest
}

func (j *Job) encodedOutputs(conf *config.Config, req egress.EncodedOutput) error {
	old, _ := req.(egress.EncodedOutputDeprecated)
	files := req.GetFileOutputs()
	if len(files) == 0 && old != nil && old.GetFile() != nil {
		files = []*livekit.EncodedFileOutput{old.GetFile()}
	}
	switch {
	case len(files) > 1:
		return errInput("multiple file outputs")
	case len(req.GetStreamOutputs()) > 0 || old != nil && old.GetStream() != nil:
		return errUnsupported("stream outputs")
	case len(req.GetSegmentOutputs()) > 0 || old != nil && old.GetSegments() != nil:
		return errUnsupported("segment outputs")
	case len(req.GetImageOutputs()) > 0:
		return errUnsupported("image outputs")
	case len(files) == 0:
		return errInput("output")
	}
	f := files[0]
	return j.file(conf, fileRequest{f.Filepath, f.FileType, f.DisableManifest, f})
}

func (j *Job) directOutput(conf *config.Config, req *livekit.TrackEgressRequest) error {
	switch o := req.Output.(type) {
	case *livekit.TrackEgressRequest_File:
		return j.file(conf, fileRequest{o.File.GetFilepath(), livekit.EncodedFileType_DEFAULT_FILETYPE, o.File.GetDisableManifest(), o.File})
	case *livekit.TrackEgressRequest_WebsocketUrl:
		return errUnsupported("websocket outputs")
	}
	return errInput("output")
}

func (j *Job) unifiedOutputs(conf *config.Config, req *livekit.StartEgressRequest) error {
	if len(req.Outputs) == 0 {
		return errInput("output")
	}
	var file *fileRequest
	for _, out := range req.Outputs {
		switch o := out.Config.(type) {
		case *livekit.Output_File:
			if file != nil {
				return errInput("multiple file outputs")
			}
			file = &fileRequest{o.File.GetFilepath(), o.File.GetFileType(), o.File.GetDisableManifest(), firstStorage(out.Storage, req.Storage)}
		case *livekit.Output_Stream:
			return errUnsupported("stream outputs")
		case *livekit.Output_Segments:
			return errUnsupported("segment outputs")
		case *livekit.Output_Images:
			return errUnsupported("image outputs")
		default:
			return errInput("output config")
		}
	}
	return j.file(conf, *file)
}

func firstStorage(perOutput, perRequest *livekit.StorageConfig) egress.UploadRequest {
	if perOutput != nil {
		return perOutput
	}
	return perRequest
}

func (j *Job) file(conf *config.Config, f fileRequest) error {
	if err := checkStorage(conf, f.upload); err != nil {
		return err
	}
	clean := CleanPath(f.path)
	explicit := clean != "" && !strings.HasSuffix(clean, "/")
	if j.Info.RetryCount > 0 && explicit && !strings.Contains(clean, "{retry}") {
		return psrpc.NewErrorf(psrpc.FailedPrecondition, "output configuration does not support retry")
	}
	j.Path = &FilePath{Template: clean, Prefix: conf.Storage.Prefix}
	j.DisableManifest = f.disableManifest
	j.Encoding.requestContainer(f.fileType)
	j.Info.FileResults = []*livekit.FileInfo{j.File}
	j.Info.Result = &livekit.EgressInfo_File{File: j.File} //nolint:staticcheck // older clients read it
	return nil
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

// ManifestPath is where the manifest goes: beside the file.
func (j *Job) ManifestPath() string {
	return path.Join(path.Dir(j.Path.Location()), j.ID+".json")
}
