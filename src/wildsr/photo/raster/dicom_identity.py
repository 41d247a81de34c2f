"""De-identify DICOM files: only listed elements, which say nothing about a person, are kept.

PS3.15 (annex E, basic profile) lists what is removed. This is a list of what is kept: so an
element that nobody thought of, above all a private one, is removed.
"""

from __future__ import annotations

from typing import Any

from wildsr.photo.raster.dicom import pydicom

# By module of PS3.3: what the image is; how it was taken; where it lies; what its numbers mean.
_KEPT = """
SpecificCharacterSet ImageType SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID
FrameOfReferenceUID Modality ConversionType Manufacturer ManufacturerModelName SeriesNumber
InstanceNumber AcquisitionNumber DerivationDescription LossyImageCompression
LossyImageCompressionRatio LossyImageCompressionMethod BurnedInAnnotation QualityControlImage

BodyPartExamined PatientPosition PatientOrientation Laterality ImageLaterality ViewPosition
ScanningSequence SequenceVariant ScanOptions MRAcquisitionType SliceThickness
SpacingBetweenSlices KVP RepetitionTime EchoTime InversionTime NumberOfAverages ImagingFrequency
ImagedNucleus EchoNumbers MagneticFieldStrength NumberOfPhaseEncodingSteps EchoTrainLength
PercentSampling PercentPhaseFieldOfView PixelBandwidth FlipAngle DataCollectionDiameter
ReconstructionDiameter DistanceSourceToDetector DistanceSourceToPatient GantryDetectorTilt
TableHeight RotationDirection ExposureTime XRayTubeCurrent Exposure ExposureInuAs FilterType
GeneratorPower FocalSpots ConvolutionKernel SpiralPitchFactor SingleCollimationWidth
TotalCollimationWidth TableSpeed TableFeedPerRotation CTDIvol BodyPartThickness
CompressionForce Grid AnodeTargetMaterial

ImagePositionPatient ImageOrientationPatient SliceLocation PositionReferenceIndicator
PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing PixelSpacingCalibrationType
PixelAspectRatio EstimatedRadiographicMagnificationFactor

SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns
BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit
PixelIntensityRelationship PixelIntensityRelationshipSign PresentationLUTShape WindowCenter
WindowWidth WindowCenterWidthExplanation VOILUTFunction RescaleIntercept RescaleSlope
RescaleType Units FrameIncrementPointer FrameTime FrameTimeVector CineRate
RecommendedDisplayFrameRate GridFrameOffsetVector DoseUnits DoseType DoseSummationType
DoseGridScaling

SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence
PlanePositionSequence PlaneOrientationSequence PixelValueTransformationSequence
FrameVOILUTSequence FrameContentSequence StackID InStackPositionNumber DimensionIndexValues
SequenceOfUltrasoundRegions RegionSpatialFormat RegionDataType RegionFlags RegionLocationMinX0
RegionLocationMinY0 RegionLocationMaxX1 RegionLocationMaxY1 ReferencePixelX0 ReferencePixelY0
PhysicalUnitsXDirection PhysicalUnitsYDirection PhysicalDeltaX PhysicalDeltaY

PixelData FloatPixelData DoubleFloatPixelData
"""
KEPT = frozenset(_KEPT.split())
# Elements that every image must have (type 2), but that may be empty.
EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
METHOD = "wildsr: only what describes the pixels is kept"


def without_identity(header: Any) -> None:
    """Remove all but :data:`KEPT` from a data set and the items in it.

    The UIDs of study, series and frame of reference are replaced consistently (equal ones by equal
    ones), so that the slices of a volume stay together.
    """
    _keep(header)
    for name in _UIDS:
        if name in header:
            setattr(header, name, other_uid(header.get(name)))
    for name in EMPTY:
        setattr(header, name, "")
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = METHOD


def other_uid(uid: object, *more: str) -> Any:
    """A replacement for a UID: a hash of it, so always the same (PS3.5, B.2)."""
    return pydicom().uid.generate_uid(entropy_srcs=[str(uid), "wildsr", *more])


def _keep(data: Any) -> None:
    for element in list(data):
        if element.tag.is_private or element.keyword not in KEPT:
            del data[element.tag]
        elif element.VR == "SQ":
            for item in element.value:
                _keep(item)
