// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRegistry} from "../sources/reserves/ProofRegistry.sol";
import {Header} from "../sources/reserves/ReserveHeader.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice A registry, headers of now, and what the quorum signs of them.
abstract contract ProofRegistryWorld is VaultWorld {
    string internal constant HERE = "eip155:31337/slip44:60";
    string internal constant ELSEWHERE = "bip122:000000000019d6689c085ae165831e93/slip44:0";
    bytes32 internal constant CUSTODIAN = keccak256("the custodian");
    bytes32 internal constant RECORD = keccak256("a record");
    bytes32 internal constant BUNDLE = keccak256("a bundle");
    uint256 internal constant EPOCHS = 4;
    uint256 internal constant DRAW_DELAY = 10;
    uint256 internal constant COMMIT_WITHIN = 1 hours;
    uint256 internal constant CADENCE = 2 hours;
    uint256 internal constant PROVE_WITHIN = 1 days;

    ProofRegistry internal registry;
    bytes32 internal previous;

    function setUp() external {
        buildWorld();
        registry = ProofRegistry(deploy("ProofRegistry", abi.encode(settings())));
    }

    function settings() internal view returns (ProofRegistry.Settings memory) {
        return ProofRegistry.Settings({
            signers: signers,
            custodian: CUSTODIAN,
            window: uint32(EPOCHS),
            drawDelay: uint32(DRAW_DELAY),
            commitWithin: uint32(COMMIT_WITHIN),
            cadence: uint32(CADENCE),
            proveWithin: uint32(PROVE_WITHIN)
        });
    }

    /// @notice A header of now, an hour and a hundred blocks after the last one.
    function nextHeader(string memory asset, uint64 epoch) internal returns (Header memory header) {
        vm.warp(block.timestamp + 1 hours);
        vm.roll(block.number + 20);
        uint64 pinned = uint64(block.number - 10);
        bytes32 hash = keccak256(abi.encode("block", pinned));
        vm.setBlockhash(pinned, hash);
        header = Header({
            asset: asset,
            epoch: epoch,
            tier: 1,
            bits: 128,
            unitExponent: 9,
            blockNumber: pinned,
            blockHash: hash,
            ledgerPosition: 100 * epoch,
            takenAt: uint64(block.timestamp - 60)
        });
    }

    function take(string memory asset, uint64 epoch, uint128 reserves) internal {
        Header memory header = nextHeader(asset, epoch);
        registry.commit(header, RECORD, reserves, committed(header, RECORD, reserves));
        previous = registry.epochAt(keccak256(bytes(asset)), epoch).context;
    }

    /// @notice All epochs of a window; the least reserves are those of the first.
    function fill(uint256 number_) internal {
        for (uint256 i = 1; i <= EPOCHS; ++i) {
            take(ELSEWHERE, uint64(number_ * EPOCHS + i), uint128(100 + i));
        }
    }

    function notProven(bytes32 asset, uint256 number_, bytes memory signatures) internal {
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongWindow.selector, number_));
        registry.prove(asset, number_, BUNDLE, signatures);
    }

    function drawn(uint256 number_) internal returns (uint64 epoch) {
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        uint256 challengeBlock = registry.windowAt(asset, number_).challengeBlock;
        vm.roll(challengeBlock > block.number ? challengeBlock + 1 : block.number);
        if (block.number - challengeBlock > 256) vm.roll(challengeBlock + 200);
        vm.setBlockhash(challengeBlock, keccak256(abi.encode("challenge", challengeBlock)));
        epoch = registry.draw(asset, number_);
    }

    function refused(Header memory header, bytes memory why) internal {
        bytes memory signatures = committed(header, RECORD, 70);
        vm.expectRevert(why);
        registry.commit(header, RECORD, 70, signatures);
    }

    function committed(Header memory header, bytes32 record, uint128 reserves)
        internal
        view
        returns (bytes memory)
    {
        return byMembers(0, 2, commitment(header, record, reserves));
    }

    function commitment(Header memory header, bytes32 record, uint128 reserves) internal view returns (bytes32) {
        bytes32 kind = keccak256("ReserveCommitment(bytes32 context,bytes32 record,uint128 reserves)");
        return typed(keccak256(abi.encode(kind, contextOf(byHand(header)), record, reserves)));
    }

    function proofBy(bytes32 asset, uint64 epoch) internal view returns (bytes memory) {
        bytes32 kind = keccak256("ReserveProof(bytes32 context,bytes32 proof)");
        bytes32 context = registry.epochAt(asset, epoch).context;
        return byMembers(1, 2, typed(keccak256(abi.encode(kind, context, BUNDLE))));
    }

    function typed(bytes32 message) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Bulkhead Proof Registry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    /// @notice The bytes of a header by a second hand.
    function byHand(Header memory h) internal view returns (bytes memory) {
        bytes memory head = bytes.concat(
            "bulkhead/reserves",
            bytes2(uint16(1)),
            bytes1(h.tier),
            bytes1(h.bits),
            bytes8(uint64(block.chainid)),
            bytes20(address(registry)),
            CUSTODIAN,
            bytes8(h.epoch),
            bytes1(h.unitExponent)
        );
        bytes memory rest = bytes.concat(
            bytes8(h.blockNumber), h.blockHash, bytes8(h.ledgerPosition), bytes8(h.takenAt), previous
        );
        return bytes.concat(head, rest, bytes1(uint8(bytes(h.asset).length)), bytes(h.asset));
    }

    function contextOf(bytes memory encoded) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"10", encoded));
    }

    function slice(bytes memory whole, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = whole[from + i];
        }
    }

    function number(bytes memory whole, uint256 from, uint256 length) internal pure returns (uint256 value) {
        for (uint256 i = 0; i < length; ++i) {
            value = value << 8 | uint8(whole[from + i]);
        }
    }
}
