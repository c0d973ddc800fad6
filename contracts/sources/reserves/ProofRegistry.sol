// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {LibString} from "solady/src/utils/LibString.sol";
import {BlockHashes} from "../BlockHashes.sol";
import {SignerSet} from "../vault/SignerSet.sol";
import {Header, Place, ReserveHeader} from "./ReserveHeader.sol";

/// @notice Where one custodian pins its proofs of reserves, so that everybody reads the same ones.
///
/// For each asset epochs follow each other without a gap, each chained to the one before; nothing is ever written over.
/// What is owed is committed on a steady cadence. When a window of epochs is full, the hash of a block that was not there
/// yet picks the one of them that must be proven in full, so nobody can dress up the one that will be looked at. The least
/// reserves of the whole window are reported, not those of a good moment.
///
/// What was signed and did not come in time lapses: it keeps its number and its place before the next epoch, for everybody
/// to see, but counts in no window and makes nothing fresh. So a custodian who was away goes on, and hides nothing by it.
/// @dev Signed by a quorum of the signer set, carried by anybody. No owner, no upgrade, no way to take anything back. It
/// does not verify proofs: readers do, with the two hashes that it pins.
contract ProofRegistry {
    struct Settings {
        SignerSet signers;
        /// Who this is; challenges to wallets carry the same.
        bytes32 custodian;
        /// Epochs in a window.
        uint32 window;
        /// Blocks from the end of a window to the block whose hash picks.
        uint32 drawDelay;
        /// Seconds from what a header was taken at until it has to be committed.
        uint32 commitWithin;
        /// Seconds without a new epoch after which an asset is stale.
        uint32 cadence;
        /// Seconds from the end of a window until its picked epoch has to be proven.
        uint32 proveWithin;
    }

    /// @notice What is pinned of an epoch.
    struct Epoch {
        bytes32 context;
        bytes32 record;
        /// In units of the header, all compartments of clients together. As the custodian says.
        uint128 reserves;
        uint64 takenAt;
        /// Zero of one that lapsed.
        uint64 committedAt;
    }

    struct Window {
        /// Unix second in which its last epoch came; zero before that.
        uint64 endedAt;
        /// The block whose hash picks.
        uint64 challengeBlock;
        /// The epoch that was picked; zero before that.
        uint64 drawn;
        uint64 provenAt;
        uint128 leastReserves;
        /// Digest of the bundle with the whole proof of the picked epoch.
        bytes32 proof;
    }

    struct Stream {
        /// The newest epoch, whether it was committed or lapsed; the first is 1.
        uint64 epoch;
        /// Windows that were proven, from the first one on.
        uint64 proven;
        uint64 blockNumber;
        uint56 ledgerPosition;
        uint8 unitExponent;
        /// How many epochs lapsed.
        uint64 lapses;
    }

    bytes32 private constant NAME = keccak256("Bulkhead Proof Registry");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant COMMITMENT =
        keccak256("ReserveCommitment(bytes32 context,bytes32 record,uint128 reserves)");
    bytes32 private constant PROOF = keccak256("ReserveProof(bytes32 context,bytes32 proof)");

    uint256 private constant ASSET_BYTES_MAX = 255;
    uint256 private constant UNIT_EXPONENT_MAX = 36;
    uint8 private constant PLAIN = 1;
    uint8 private constant CONFIDENTIAL = 2;
    uint8 private constant WIDE = 128;
    uint8 private constant NARROW = 64;

    SignerSet public immutable signers;
    bytes32 public immutable custodian;
    uint256 public immutable window;
    uint256 public immutable drawDelay;
    uint256 public immutable commitWithin;
    uint256 public immutable cadence;
    uint256 public immutable proveWithin;

    mapping(bytes32 asset => Stream) private streams;
    mapping(bytes32 asset => mapping(uint256 epoch => Epoch)) private epochs;
    mapping(bytes32 asset => mapping(uint256 number => Window)) private windows;

    /// Windows count what was committed and leave out what lapsed: how many had lapsed before the epoch with that count.
    mapping(bytes32 asset => mapping(uint256 count => uint256)) private lapsesBefore;

    /// @param header as spec/reserves.md has it; its hash is the context
    event Committed(
        bytes32 indexed asset, uint64 indexed epoch, bytes32 context, bytes32 record, uint128 reserves, bytes header
    );

    /// It was signed and not committed in time. The fields are those of {Committed}.
    event Lapsed(
        bytes32 indexed asset, uint64 indexed epoch, bytes32 context, bytes32 record, uint128 reserves, bytes header
    );
    event WindowEnded(bytes32 indexed asset, uint256 indexed window, uint64 challengeBlock);
    event Drawn(bytes32 indexed asset, uint256 indexed window, uint64 epoch);

    /// Nobody asked while the hash of the block could be had: a later block picks. The time to prove goes on.
    event DrawPostponed(bytes32 indexed asset, uint256 indexed window, uint64 challengeBlock);
    event Proven(
        bytes32 indexed asset, uint256 indexed window, uint64 indexed epoch, bytes32 proof, uint128 leastReserves
    );

    error SettingIsZero();

    /// Tier, width, unit or length of the asset's name are none of version 1, or the unit is another one than before.
    error UnfitHeader();

    /// The next epoch is `expected`.
    error WrongEpoch(uint256 epoch, uint256 expected);

    /// Block, position in the books or time do not lie behind those of the epoch before.
    error NotLater();

    /// It was taken in the future, or so long ago that nobody would know what was moved meanwhile.
    error NotInTime(uint256 takenAt);

    /// It can still be committed.
    error NotLapsed(uint256 takenAt);

    /// The asset is on this chain, and the hash is not that of the block or the block is too old to tell.
    error UnknownBlock(uint256 blockNumber, bytes32 blockHash);

    error NoQuorum(bytes32 digest);

    /// The window is not full yet, was drawn or proven already, or one before it was not proven.
    error WrongWindow(uint256 window);

    /// The block whose hash picks is not there yet.
    error TooEarly(uint256 challengeBlock);

    constructor(Settings memory settings) {
        bool anyZero = address(settings.signers) == address(0) || settings.custodian == 0 || settings.window == 0
            || settings.drawDelay == 0 || settings.commitWithin == 0 || settings.cadence == 0
            || settings.proveWithin == 0;
        require(!anyZero, SettingIsZero());
        signers = settings.signers;
        custodian = settings.custodian;
        window = settings.window;
        drawDelay = settings.drawDelay;
        commitWithin = settings.commitWithin;
        cadence = settings.cadence;
        proveWithin = settings.proveWithin;
    }

    /// @notice Pins the next epoch of an asset. The quorum signs its context, which says everything that the header does
    /// and which epoch it follows.
    function commit(Header calldata header, bytes32 record, uint128 reserves, bytes calldata signatures) external {
        bytes32 asset = keccak256(bytes(header.asset));
        (bytes32 context, bytes memory encoded) = requireNext(header, record, reserves, signatures);
        requireInTime(header);
        uint64 lapses = advance(asset, header, 0);
        epochs[asset][header.epoch] = Epoch(context, record, reserves, header.takenAt, uint64(block.timestamp));
        emit Committed(asset, header.epoch, context, record, reserves, encoded);
        uint256 counted = header.epoch - lapses;
        if (lapses != 0) lapsesBefore[asset][counted] = lapses;
        count(asset, counted, reserves);
    }

    /// @notice Pins that the next epoch of an asset was signed and did not come in time: with what was signed, so that no
    /// other content of its number ever shows, and the next one follows it. Anybody who has the signatures may say so.
    function lapse(Header calldata header, bytes32 record, uint128 reserves, bytes calldata signatures) external {
        bytes32 asset = keccak256(bytes(header.asset));
        (bytes32 context, bytes memory encoded) = requireNext(header, record, reserves, signatures);
        require(hasLapsed(header), NotLapsed(header.takenAt));
        advance(asset, header, 1);
        epochs[asset][header.epoch] = Epoch(context, record, reserves, header.takenAt, 0);
        emit Lapsed(asset, header.epoch, context, record, reserves, encoded);
    }

    /// @notice Has the hash of its block pick the epoch of a full window that must be proven. Anybody may ask.
    /// @return epoch zero where that hash could not be had any more, and a later block picks
    function draw(bytes32 asset, uint256 number) external returns (uint64 epoch) {
        Window storage drawing = windows[asset][number];
        require(drawing.endedAt != 0 && drawing.drawn == 0, WrongWindow(number));
        uint256 challengeBlock = drawing.challengeBlock;
        require(block.number > challengeBlock, TooEarly(challengeBlock));
        bytes32 random = BlockHashes.hashOf(challengeBlock);
        if (random == 0) {
            uint64 later = uint64(block.number + drawDelay);
            drawing.challengeBlock = later;
            emit DrawPostponed(asset, number, later);
            return 0;
        }
        uint256 picked = uint256(keccak256(abi.encode(random, address(this), asset, number))) % window;
        uint256 counted = number * window + 1 + picked;
        epoch = uint64(counted + lapsesBefore[asset][counted]);
        drawing.drawn = epoch;
        emit Drawn(asset, number, epoch);
    }

    /// @notice Says which bundle proves the picked epoch of the oldest window that has none.
    function prove(bytes32 asset, uint256 number, bytes32 proof, bytes calldata signatures) external {
        Stream storage stream = streams[asset];
        Window storage proving = windows[asset][number];
        uint64 epoch = proving.drawn;
        require(number == stream.proven && epoch != 0, WrongWindow(number));
        requireQuorum(keccak256(abi.encode(PROOF, epochs[asset][epoch].context, proof)), signatures);
        stream.proven += 1;
        proving.proof = proof;
        proving.provenAt = uint64(block.timestamp);
        emit Proven(asset, number, epoch, proof, proving.leastReserves);
    }

    /// @notice Whether epochs of an asset go on coming, something was proven, and nothing that must be proven is late.
    function isFresh(bytes32 asset) external view returns (bool) {
        Stream memory stream = streams[asset];
        if (stream.proven == 0) return false;
        if (block.timestamp > epochs[asset][stream.epoch].committedAt + cadence) return false;
        uint256 endedAt = windows[asset][stream.proven].endedAt;
        return endedAt == 0 || block.timestamp <= endedAt + proveWithin;
    }

    /// @notice The newest epoch of an asset, zero where there is none; how many windows were proven; its unit.
    function stateOf(bytes32 asset) external view returns (uint64 epoch, uint64 proven, uint8 unitExponent) {
        Stream memory stream = streams[asset];
        return (stream.epoch, stream.proven, stream.unitExponent);
    }

    /// @notice How many epochs of an asset lapsed, ever.
    function lapsesOf(bytes32 asset) external view returns (uint64) {
        return streams[asset].lapses;
    }

    /// @notice Whether an epoch was signed and not committed in time.
    function isLapsed(bytes32 asset, uint256 epoch) external view returns (bool) {
        Epoch memory pinned = epochs[asset][epoch];
        return pinned.context != 0 && pinned.committedAt == 0;
    }

    /// @notice The how-manieth committed epoch of an asset one is, from 1: its window is `(count - 1) / window`. Zero of one
    /// that lapsed or is not there.
    function countOf(bytes32 asset, uint256 epoch) external view returns (uint256) {
        if (epochs[asset][epoch].committedAt == 0) return 0;
        Stream memory stream = streams[asset];
        uint256 least = stream.lapses < epoch ? epoch - stream.lapses : 1;
        uint256 most = FixedPointMathLib.min(epoch, stream.epoch - stream.lapses);
        // A count plus the lapses before it rises with the count.
        while (least < most) {
            uint256 middle = (least + most) / 2;
            if (middle + lapsesBefore[asset][middle] < epoch) least = middle + 1;
            else most = middle;
        }
        return least;
    }

    function epochAt(bytes32 asset, uint256 epoch) external view returns (Epoch memory) {
        return epochs[asset][epoch];
    }

    function windowAt(bytes32 asset, uint256 number) external view returns (Window memory) {
        return windows[asset][number];
    }

    function requireFit(Header calldata header, Stream memory stream) private pure {
        uint256 length = bytes(header.asset).length;
        bool fit = length != 0 && length <= ASSET_BYTES_MAX && header.unitExponent <= UNIT_EXPONENT_MAX
            && header.ledgerPosition <= type(uint56).max
            && (header.tier == PLAIN && header.bits == WIDE
                || header.tier == CONFIDENTIAL && (header.bits == NARROW || header.bits == WIDE))
            && (stream.epoch == 0 || header.unitExponent == stream.unitExponent);
        require(fit, UnfitHeader());
    }

    /// @dev The header continues the stream, and the quorum signed it.
    function requireNext(Header calldata header, bytes32 record, uint128 reserves, bytes calldata signatures)
        private
        view
        returns (bytes32 context, bytes memory encoded)
    {
        bytes32 asset = keccak256(bytes(header.asset));
        Stream memory stream = streams[asset];
        requireFit(header, stream);
        uint256 expected = uint256(stream.epoch) + 1;
        require(header.epoch == expected, WrongEpoch(header.epoch, expected));
        Epoch memory before = epochs[asset][stream.epoch];
        bool later = header.blockNumber > stream.blockNumber && header.ledgerPosition >= stream.ledgerPosition
            && header.takenAt > before.takenAt;
        require(later, NotLater());
        encoded = ReserveHeader.encode(header, placeAfter(before.context));
        context = ReserveHeader.contextOf(encoded);
        requireQuorum(keccak256(abi.encode(COMMITMENT, context, record, reserves)), signatures);
    }

    function requireInTime(Header calldata header) private view {
        bool inTime = header.takenAt <= block.timestamp && block.timestamp - header.takenAt <= commitWithin;
        require(inTime, NotInTime(header.takenAt));
        if (!isOfThisChain(header.asset)) return;
        bool known = header.blockHash != 0 && BlockHashes.hashOf(header.blockNumber) == header.blockHash;
        require(known, UnknownBlock(header.blockNumber, header.blockHash));
    }

    /// @dev Too late, or of a block of this chain whose hash nobody can ask for any more: it can never be committed.
    function hasLapsed(Header calldata header) private view returns (bool) {
        if (block.timestamp > header.takenAt + commitWithin) return true;
        return isOfThisChain(header.asset) && header.blockNumber < block.number
            && BlockHashes.hashOf(header.blockNumber) == 0;
    }

    /// @return lapses how many there are by now
    function advance(bytes32 asset, Header calldata header, uint64 more) private returns (uint64 lapses) {
        Stream memory stream = streams[asset];
        lapses = stream.lapses + more;
        streams[asset] = Stream({
            epoch: header.epoch,
            proven: stream.proven,
            blockNumber: header.blockNumber,
            ledgerPosition: uint56(header.ledgerPosition),
            unitExponent: header.unitExponent,
            lapses: lapses
        });
    }

    function isOfThisChain(string calldata asset) private view returns (bool) {
        return LibString.startsWith(asset, string.concat("eip155:", LibString.toString(block.chainid), "/"));
    }

    function placeAfter(bytes32 previous) private view returns (Place memory) {
        return Place(uint64(block.chainid), address(this), custodian, previous);
    }

    function requireQuorum(bytes32 message, bytes calldata signatures) private view {
        bytes32 domain = keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, address(this)));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, message));
        require(signers.isQuorum(digest, signatures), NoQuorum(digest));
    }

    /// @dev An epoch in its window: the least reserves so far, and what follows from the last one.
    /// @param counted how many were committed, this one included
    function count(bytes32 asset, uint256 counted, uint128 reserves) private {
        uint256 number = (counted - 1) / window;
        Window storage counting = windows[asset][number];
        bool isFirst = (counted - 1) % window == 0;
        if (isFirst || reserves < counting.leastReserves) counting.leastReserves = reserves;
        if (counted % window != 0) return;
        uint64 challengeBlock = uint64(block.number + drawDelay);
        counting.endedAt = uint64(block.timestamp);
        counting.challengeBlock = challengeBlock;
        emit WindowEnded(asset, number, challengeBlock);
    }
}
