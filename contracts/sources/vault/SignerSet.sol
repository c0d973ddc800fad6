// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {BlockHashes} from "../BlockHashes.sol";
import {Secp256k1} from "./Secp256k1.sol";

/// @notice The signers of one custodian, for all its vaults: who they are now, who they will be, and when they last
/// showed that they are there.
/// @dev Deployed through the deterministic deployment proxy, so its address commits to the first members. Changes are
/// numbered and signed without a chain: anybody replays them on a new chain, in order, where a set that left does not
/// come back. Members of a version lie in code (SSTORE2), so that a quorum costs one slot and one read of code.
contract SignerSet {
    /// @dev The newest version, in one slot; older ones are in `versions`.
    struct Version {
        uint48 number;
        /// Unix second from which it is in force; fixed when it was queued.
        uint40 activeFrom;
        uint8 threshold;
        /// Whose code is the members, a word each.
        address memberList;
    }

    struct SetChange {
        /// One more than that of the newest version.
        uint256 number;
        /// Strictly ascending.
        address[] members;
        uint8 threshold;
    }

    struct Heartbeat {
        uint256 blockNumber;
        bytes32 blockHash;
        /// Free: what the custodian states with it, or its hash.
        bytes32 statement;
    }

    uint256 public constant MEMBERS_MAX = 32;

    bytes32 private constant NAME = keccak256("Bulkhead Signer Set");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant DOMAIN_OF_CHAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant DOMAIN_WITHOUT_CHAIN =
        keccak256("EIP712Domain(string name,string version,address verifyingContract)");
    bytes32 private constant SET_CHANGE = keccak256("SetChange(uint256 number,address[] members,uint8 threshold)");
    bytes32 private constant HEARTBEAT =
        keccak256("Heartbeat(uint256 blockNumber,bytes32 blockHash,bytes32 statement)");

    /// Seconds from the acceptance of a change until it is in force.
    uint256 public immutable changeDelay;

    Version private newest;
    mapping(uint256 number => Version) private versions;

    /// Unix second of the newest heartbeat; the deployment counts as one.
    uint64 public lastHeartbeat;

    /// The block that the newest heartbeat named.
    uint64 public lastHeartbeatBlock;

    event SetQueued(uint256 indexed number, address[] members, uint8 threshold, uint256 activeFrom);
    event HeartbeatGiven(uint256 blockNumber, bytes32 blockHash, bytes32 statement);

    /// Members are strictly ascending, not zero, at most `MEMBERS_MAX`; the threshold is between 1 and their number.
    error UnfitMembers(uint256 members, uint256 threshold);

    error ChangeDelayIsZero();

    /// The next change has the number `expected`.
    error WrongNumber(uint256 number, uint256 expected);

    /// The signatures are not those of a quorum of version `number` over this digest.
    error NoQuorum(uint256 number, bytes32 digest);

    /// The block is not newer than that of the last heartbeat.
    error OldBlock(uint256 blockNumber, uint256 last);

    /// The hash is not that of the block, or the block is too old to tell.
    error UnknownBlock(uint256 blockNumber, bytes32 blockHash);

    error NoSuchVersion(uint256 number);

    constructor(address[] memory members, uint8 threshold, uint32 changeDelay_) {
        require(changeDelay_ != 0, ChangeDelayIsZero());
        changeDelay = changeDelay_;
        requireFit(members, threshold);
        store(members, threshold, 1, block.timestamp);
        lastHeartbeat = uint64(block.timestamp);
        lastHeartbeatBlock = uint64(block.number);
    }

    /// @notice Whether these are signatures of exactly `threshold` members in force, ascending by signer, 65 bytes each.
    function isQuorum(bytes32 digest, bytes calldata signatures) external view returns (bool) {
        Version memory version = inForce();
        return haveSigned(listOf(version), version.threshold, digest, signatures);
    }

    /// @notice Queues the next version. The newest one signs it, queued or in force, so that several can follow each
    /// other; and `threshold` of the new members accept it, so that a mistyped member cannot end the set.
    function changeSet(SetChange calldata change, bytes calldata quorumSignatures, bytes calldata memberSignatures)
        external
    {
        Version memory version = newest;
        uint256 number = uint256(version.number) + 1;
        require(change.number == number, WrongNumber(change.number, number));
        requireFit(change.members, change.threshold);
        bytes32 digest = changeDigest(change);
        require(
            haveSigned(listOf(version), version.threshold, digest, quorumSignatures),
            NoQuorum(version.number, digest)
        );
        bytes memory list = abi.encodePacked(change.members);
        require(haveSigned(list, change.threshold, digest, memberSignatures), NoQuorum(number, digest));
        versions[version.number] = version;
        uint256 activeFrom = block.timestamp + changeDelay;
        store(change.members, change.threshold, number, activeFrom);
    }

    /// @notice Shows that a quorum is there now: it signs the hash of a block that nobody could know before.
    function heartbeat(Heartbeat calldata beat, bytes calldata signatures) external {
        require(beat.blockNumber > lastHeartbeatBlock, OldBlock(beat.blockNumber, lastHeartbeatBlock));
        require(
            beat.blockHash != 0 && BlockHashes.hashOf(beat.blockNumber) == beat.blockHash,
            UnknownBlock(beat.blockNumber, beat.blockHash)
        );
        Version memory version = inForce();
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_OF_CHAIN, NAME, VERSION, block.chainid, address(this)));
        bytes32 digest =
            keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(HEARTBEAT, beat))));
        require(
            haveSigned(listOf(version), version.threshold, digest, signatures),
            NoQuorum(version.number, digest)
        );
        lastHeartbeat = uint64(block.timestamp);
        lastHeartbeatBlock = uint64(beat.blockNumber);
        emit HeartbeatGiven(beat.blockNumber, beat.blockHash, beat.statement);
    }

    /// @notice The number of the newest version, in force or queued.
    function newestNumber() external view returns (uint256) {
        return newest.number;
    }

    /// @notice The version in force.
    function current() external view returns (uint256 number, address[] memory members, uint8 threshold) {
        Version memory version = inForce();
        return (version.number, membersOf(version), version.threshold);
    }

    /// @notice A version by its number: from when it is in force, its members and its threshold.
    function versionAt(uint256 number)
        external
        view
        returns (uint256 activeFrom, address[] memory members, uint8 threshold)
    {
        Version memory version = number == newest.number ? newest : versions[number];
        require(version.number != 0, NoSuchVersion(number));
        return (version.activeFrom, membersOf(version), version.threshold);
    }

    /// @dev The first version is in force since its deployment, so the search ends.
    function inForce() private view returns (Version memory version) {
        version = newest;
        while (version.activeFrom > block.timestamp) {
            version = versions[version.number - 1];
        }
    }

    function listOf(Version memory version) private view returns (bytes memory) {
        return SSTORE2.read(version.memberList);
    }

    function membersOf(Version memory version) private view returns (address[] memory members) {
        bytes memory list = listOf(version);
        members = new address[](list.length / 32);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = memberAt(list, i);
        }
    }

    function memberAt(bytes memory list, uint256 index) private pure returns (address member) {
        assembly ("memory-safe") {
            member := mload(add(add(list, 32), shl(5, index)))
        }
    }

    function store(address[] memory members, uint8 threshold, uint256 number, uint256 activeFrom) private {
        newest = Version({
            number: uint48(number),
            activeFrom: uint40(activeFrom),
            threshold: threshold,
            memberList: SSTORE2.write(abi.encodePacked(members))
        });
        emit SetQueued(number, members, threshold, activeFrom);
    }

    function changeDigest(SetChange calldata change) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_WITHOUT_CHAIN, NAME, VERSION, address(this)));
        // A packed array has each element in a word of its own, as EIP-712 asks.
        bytes32 members = keccak256(abi.encodePacked(change.members));
        bytes32 structHash = keccak256(abi.encode(SET_CHANGE, change.number, members, change.threshold));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev One walk over both ascending lists: whoever signs twice, or is no member, finds no place in it.
    function haveSigned(bytes memory list, uint256 threshold, bytes32 digest, bytes calldata signatures)
        private
        view
        returns (bool)
    {
        if (signatures.length != threshold * Secp256k1.LENGTH) return false;
        uint256 members = list.length / 32;
        uint256 next = 0;
        // Counters of memory and calldata, which cannot overflow.
        unchecked {
            for (uint256 place = 0; place < signatures.length; place += Secp256k1.LENGTH) {
                address signer = Secp256k1.recoverAt(digest, signatures, place);
                while (next < members && memberAt(list, next) != signer) ++next;
                if (next == members) return false;
                ++next;
            }
        }
        return true;
    }

    function requireFit(address[] memory members, uint256 threshold) private pure {
        bool fit = threshold != 0 && threshold <= members.length && members.length <= MEMBERS_MAX;
        address last = address(0);
        for (uint256 i = 0; i < members.length; ++i) {
            fit = fit && members[i] > last;
            last = members[i];
        }
        require(fit, UnfitMembers(members.length, threshold));
    }
}
