// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRegistry} from "../sources/reserves/ProofRegistry.sol";
import {Header} from "../sources/reserves/ReserveHeader.sol";
import {ProofRegistryWorld} from "./ProofRegistryWorld.sol";

/// @notice What was signed and came too late is seen for ever, gains nothing, and does not stop what follows.
contract ProofRegistryLapseTest is ProofRegistryWorld {
    /// Signed, and the house could not pay until it was too late: the line goes on, and everybody sees it.
    function testWhatDidNotComeInTimeLapsesWithWhatWasSignedAndTheNextFollowsIt() external {
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        take(ELSEWHERE, 1, 70);
        Header memory header = nextHeader(ELSEWHERE, 2);
        bytes memory encoded = byHand(header);
        bytes memory signatures = committed(header, RECORD, 71);
        bytes memory inTime = abi.encodeWithSelector(ProofRegistry.NotLapsed.selector, header.takenAt);
        vm.expectRevert(inTime);
        registry.lapse(header, RECORD, 71, signatures);
        vm.warp(header.takenAt + COMMIT_WITHIN);
        vm.expectRevert(inTime);
        registry.lapse(header, RECORD, 71, signatures);
        vm.warp(header.takenAt + COMMIT_WITHIN + 1);
        vm.expectEmit(address(registry));
        emit ProofRegistry.Lapsed(asset, 2, contextOf(encoded), RECORD, 71, encoded);
        vm.prank(actor("anybody"));
        registry.lapse(header, RECORD, 71, signatures);
        ProofRegistry.Epoch memory lapsed = registry.epochAt(asset, 2);
        vm.assertEq(lapsed.context, contextOf(encoded), "what was signed");
        vm.assertEq(lapsed.record, RECORD, "its record");
        vm.assertEq(lapsed.reserves, 71, "its reserves");
        vm.assertEq(lapsed.takenAt, header.takenAt, "its time");
        vm.assertEq(lapsed.committedAt, 0, "never committed");
        refused(nextHeader(ELSEWHERE, 2), abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 2, 3));
        Header memory astray = nextHeader(ELSEWHERE, 3);
        bytes memory overlooking = committed(astray, RECORD, 72);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.commit(astray, RECORD, 72, overlooking);
        previous = lapsed.context;
        take(ELSEWHERE, 3, 72);
        vm.assertTrue(registry.isLapsed(asset, 2), "seen for ever");
        vm.assertEq(registry.lapsesOf(asset), 1, "counted for ever");
        vm.assertFalse(registry.isLapsed(asset, 1) || registry.isLapsed(asset, 3), "it alone");
        vm.assertFalse(registry.isLapsed(asset, 4), "nothing there");
    }

    function testALapseIsTheNextEpochAndSignedByTheQuorum() external {
        take(ELSEWHERE, 1, 70);
        Header memory header = nextHeader(ELSEWHERE, 2);
        bytes memory good = committed(header, RECORD, 71);
        vm.warp(header.takenAt + COMMIT_WITHIN + 1);
        bytes memory one = sign(memberKeys[0], commitment(header, RECORD, 71));
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.lapse(header, RECORD, 71, one);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.lapse(header, RECORD, 72, good);
        Header memory other = header;
        other.epoch = 3;
        bytes memory signatures = committed(other, RECORD, 71);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 3, 2));
        registry.lapse(other, RECORD, 71, signatures);
        other.epoch = 2;
        other.blockNumber -= 50;
        signatures = committed(other, RECORD, 71);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.NotLater.selector));
        registry.lapse(other, RECORD, 71, signatures);
        other.blockNumber += 50;
        other.unitExponent = 8;
        signatures = committed(other, RECORD, 71);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.UnfitHeader.selector));
        registry.lapse(other, RECORD, 71, signatures);
        other.unitExponent = 9;
        registry.lapse(header, RECORD, 71, good);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 2, 3));
        registry.lapse(header, RECORD, 71, good);
    }

    function testABlockThatNobodyCanAskForAnyMoreLapses() external {
        vm.etch(0x0000F90827F1C53a10cb7A02335B175320002935, "");
        Header memory header = nextHeader(HERE, 1);
        bytes memory signatures = committed(header, RECORD, 5);
        bytes memory inTime = abi.encodeWithSelector(ProofRegistry.NotLapsed.selector, header.takenAt);
        vm.expectRevert(inTime);
        registry.lapse(header, RECORD, 5, signatures);
        vm.roll(header.blockNumber + 300);
        registry.lapse(header, RECORD, 5, signatures);
        vm.assertTrue(registry.isLapsed(keccak256(bytes(HERE)), 1), "it lapsed before its time");
        previous = registry.epochAt(keccak256(bytes(HERE)), 1).context;
        header = nextHeader(HERE, 2);
        header.blockNumber = uint64(block.number);
        inTime = abi.encodeWithSelector(ProofRegistry.NotLapsed.selector, header.takenAt);
        signatures = committed(header, RECORD, 5);
        vm.expectRevert(inTime);
        registry.lapse(header, RECORD, 5, signatures);
        previous = 0;
        header = nextHeader(ELSEWHERE, 1);
        header.blockNumber = 1;
        inTime = abi.encodeWithSelector(ProofRegistry.NotLapsed.selector, header.takenAt);
        signatures = committed(header, RECORD, 5);
        vm.expectRevert(inTime);
        registry.lapse(header, RECORD, 5, signatures);
    }

    /// Or a custodian would have all epochs of a window lapse but one, and know which one is going to be looked at.
    function testWhatLapsedFillsNoWindowIsNeverDrawnAndMakesNothingFresh(uint8 seed, bytes32 hash) external {
        vm.assume(hash != 0);
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        fill(0);
        registry.prove(asset, 0, BUNDLE, proofBy(asset, drawn(0)));
        uint64 epoch = uint64(EPOCHS);
        uint256[] memory picks = new uint256[](EPOCHS);
        for (uint256 i = 0; i < EPOCHS; ++i) {
            vm.assertEq(registry.windowAt(asset, 1).endedAt, 0, "not full");
            for (uint256 gone = seed >> 2 * i & 3; gone > 0; --gone) {
                lapseOne(++epoch);
                vm.assertFalse(registry.isFresh(asset), "a lapse is no epoch");
                vm.assertEq(registry.countOf(asset, epoch), 0, "it does not count");
            }
            take(ELSEWHERE, ++epoch, uint128(60 + i));
            vm.assertTrue(registry.isFresh(asset), "until the next one comes");
            picks[i] = epoch;
        }
        lapseOne(++epoch);
        for (uint256 i = 0; i < EPOCHS; ++i) {
            vm.assertEq(registry.countOf(asset, picks[i]), EPOCHS + 1 + i, "counted in order");
            vm.assertEq(registry.countOf(asset, i + 1), i + 1, "those before as ever");
        }
        vm.assertEq(registry.countOf(asset, epoch + 1), 0, "nothing there");
        ProofRegistry.Window memory full = registry.windowAt(asset, 1);
        vm.assertEq(full.leastReserves, 60, "of what was committed");
        vm.roll(full.challengeBlock + 1);
        vm.setBlockhash(full.challengeBlock, hash);
        uint256 picked = uint256(keccak256(abi.encode(hash, address(registry), asset, uint256(1)))) % EPOCHS;
        vm.assertEq(registry.draw(asset, 1), picks[picked], "one that was committed");
        registry.prove(asset, 1, BUNDLE, proofBy(asset, uint64(picks[picked])));
    }

    function lapseOne(uint64 epoch) private {
        Header memory header = nextHeader(ELSEWHERE, epoch);
        bytes memory signatures = committed(header, RECORD, 1);
        vm.warp(header.takenAt + COMMIT_WITHIN + 1);
        registry.lapse(header, RECORD, 1, signatures);
        previous = registry.epochAt(keccak256(bytes(ELSEWHERE)), epoch).context;
    }
}
