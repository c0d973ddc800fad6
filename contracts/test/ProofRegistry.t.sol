// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRegistry} from "../sources/reserves/ProofRegistry.sol";
import {ReserveFeed} from "../sources/reserves/ReserveFeed.sol";
import {Header, Place, ReserveHeader} from "../sources/reserves/ReserveHeader.sol";
import {ProofRegistryWorld} from "./ProofRegistryWorld.sol";

/// @notice Epochs follow each other and stay, a window is proven where a later block says, and silence is seen.
contract ProofRegistryTest is ProofRegistryWorld {
    function testAnEpochIsPinnedWithItsContext() external {
        Header memory header = nextHeader(ELSEWHERE, 1);
        bytes memory encoded = byHand(header);
        bytes memory signatures = committed(header, RECORD, 70);
        vm.expectEmit(address(registry));
        emit ProofRegistry.Committed(
            keccak256(bytes(ELSEWHERE)), 1, contextOf(encoded), RECORD, 70, encoded
        );
        registry.commit(header, RECORD, 70, signatures);
        ProofRegistry.Epoch memory epoch = registry.epochAt(keccak256(bytes(ELSEWHERE)), 1);
        vm.assertEq(epoch.context, contextOf(encoded), "context");
        vm.assertEq(epoch.record, RECORD, "record");
        vm.assertEq(epoch.reserves, 70, "reserves");
        vm.assertEq(epoch.takenAt, header.takenAt, "taken");
        vm.assertEq(epoch.committedAt, block.timestamp, "committed");
        (uint64 newest, uint64 proven, uint8 unit) = registry.stateOf(keccak256(bytes(ELSEWHERE)));
        vm.assertEq(newest, 1, "newest");
        vm.assertEq(proven, 0, "proven");
        vm.assertEq(unit, 9, "unit");
    }

    function testTheHeaderHasTheBytesOfTheSpecification() external view {
        string memory json = vm.readFile("spec/vectors/reserves.json");
        bytes memory bytes_ = vm.parseBytes(string.concat("0x", vm.parseJsonString(json, ".plain.header")));
        bytes32 context =
            vm.parseBytes32(string.concat("0x", vm.parseJsonString(json, ".plain.context")));
        Header memory header = Header({
            asset: string(slice(bytes_, 179, bytes_.length)),
            epoch: uint64(number(bytes_, 81, 8)),
            tier: uint8(bytes_[19]),
            bits: uint8(bytes_[20]),
            unitExponent: uint8(bytes_[89]),
            blockNumber: uint64(number(bytes_, 90, 8)),
            blockHash: bytes32(number(bytes_, 98, 32)),
            ledgerPosition: uint64(number(bytes_, 130, 8)),
            takenAt: uint64(number(bytes_, 138, 8))
        });
        Place memory place = Place({
            chain: uint64(number(bytes_, 21, 8)),
            registry: address(uint160(number(bytes_, 29, 20))),
            custodian: bytes32(number(bytes_, 49, 32)),
            previous: bytes32(number(bytes_, 146, 32))
        });
        (bytes memory encoded, bytes32 found) = this.encode(header, place);
        vm.assertEq(encoded, bytes_, "bytes");
        vm.assertEq(found, context, "context");
    }

    function encode(Header calldata header, Place calldata place)
        external
        pure
        returns (bytes memory encoded, bytes32 context)
    {
        encoded = ReserveHeader.encode(header, place);
        context = ReserveHeader.contextOf(encoded);
    }

    function testEpochsHaveNoGapAndAreNeverWrittenOver() external {
        take(ELSEWHERE, 1, 70);
        refused(nextHeader(ELSEWHERE, 1), abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 1, 2));
        refused(nextHeader(ELSEWHERE, 3), abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 3, 2));
        refused(nextHeader(ELSEWHERE, 0), abi.encodeWithSelector(ProofRegistry.WrongEpoch.selector, 0, 2));
        take(ELSEWHERE, 2, 71);
        vm.assertEq(registry.epochAt(keccak256(bytes(ELSEWHERE)), 1).reserves, 70, "the first stays");
    }

    function testAnEpochIsChainedToTheOneBefore() external {
        take(ELSEWHERE, 1, 70);
        previous = keccak256("another history");
        Header memory header = nextHeader(ELSEWHERE, 2);
        bytes memory signatures = committed(header, RECORD, 70);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.commit(header, RECORD, 70, signatures);
    }

    function testAssetsHaveEpochsOfTheirOwn() external {
        take(ELSEWHERE, 1, 70);
        previous = 0;
        take(HERE, 1, 5);
        vm.assertEq(registry.epochAt(keccak256(bytes(HERE)), 1).reserves, 5, "its own");
    }

    function testWhatFollowsIsLater() external {
        take(ELSEWHERE, 1, 70);
        Header memory header = nextHeader(ELSEWHERE, 2);
        Header memory early = header;
        early.blockNumber -= 50;
        refused(early, abi.encodeWithSelector(ProofRegistry.NotLater.selector));
        early = nextHeader(ELSEWHERE, 2);
        early.ledgerPosition = 99;
        refused(early, abi.encodeWithSelector(ProofRegistry.NotLater.selector));
        early = nextHeader(ELSEWHERE, 2);
        early.takenAt = uint64(START);
        refused(early, abi.encodeWithSelector(ProofRegistry.NotLater.selector));
    }

    function testItIsCommittedInTime() external {
        Header memory header = nextHeader(ELSEWHERE, 1);
        header.takenAt = uint64(block.timestamp + 1);
        refused(header, abi.encodeWithSelector(ProofRegistry.NotInTime.selector, header.takenAt));
        header.takenAt = uint64(block.timestamp - COMMIT_WITHIN - 1);
        refused(header, abi.encodeWithSelector(ProofRegistry.NotInTime.selector, header.takenAt));
        header.takenAt = uint64(block.timestamp - COMMIT_WITHIN);
        registry.commit(header, RECORD, 70, committed(header, RECORD, 70));
    }

    function testUnfitHeadersAreRefused() external {
        bytes memory unfit = abi.encodeWithSelector(ProofRegistry.UnfitHeader.selector);
        Header memory header = nextHeader("", 1);
        refused(header, unfit);
        header = nextHeader(string(new bytes(256)), 1);
        refused(header, unfit);
        for (uint8 tier = 0; tier < 4; ++tier) {
            for (uint16 bits = 0; bits < 256; bits += 32) {
                if (tier == 1 && bits == 128 || tier == 2 && (bits == 64 || bits == 128)) continue;
                header = nextHeader(ELSEWHERE, 1);
                header.tier = tier;
                header.bits = uint8(bits);
                refused(header, unfit);
            }
        }
        header = nextHeader(ELSEWHERE, 1);
        header.unitExponent = 37;
        refused(header, unfit);
        header = nextHeader(ELSEWHERE, 1);
        header.ledgerPosition = 2 ** 56;
        refused(header, unfit);
        take(ELSEWHERE, 1, 70);
        header = nextHeader(ELSEWHERE, 2);
        header.unitExponent = 8;
        refused(header, unfit);
    }

    /// In the smallest unit of most tokens 64 bits hold twenty of them: such an asset has leaves of 128.
    function testLeavesOfTheConfidentialTierHaveEitherWidth() external {
        for (uint8 epoch = 1; epoch < 3; ++epoch) {
            Header memory header = nextHeader(ELSEWHERE, epoch);
            header.tier = 2;
            header.bits = 64 * epoch;
            registry.commit(header, RECORD, 70, committed(header, RECORD, 70));
            previous = registry.epochAt(keccak256(bytes(ELSEWHERE)), epoch).context;
        }
    }

    function testABlockOfThisChainIsTheOneOfThatHash() external {
        Header memory header = nextHeader(HERE, 1);
        header.blockHash = keccak256("no block");
        refused(
            header,
            abi.encodeWithSelector(ProofRegistry.UnknownBlock.selector, header.blockNumber, header.blockHash)
        );
        header.blockHash = 0;
        header.blockNumber = uint64(block.number);
        refused(header, abi.encodeWithSelector(ProofRegistry.UnknownBlock.selector, block.number, bytes32(0)));
        vm.chainId(3133);
        header = nextHeader(HERE, 1);
        header.blockHash = keccak256("no block");
        registry.commit(header, RECORD, 1, committed(header, RECORD, 1));
    }

    function testOnlyTheQuorumCommits() external {
        Header memory header = nextHeader(ELSEWHERE, 1);
        bytes32 digest = commitment(header, RECORD, 70);
        bytes memory one = sign(memberKeys[0], digest);
        bytes memory twice = bytes.concat(one, one);
        bytes memory noQuorum = abi.encodeWithSelector(ProofRegistry.NoQuorum.selector, digest);
        vm.expectRevert(noQuorum);
        registry.commit(header, RECORD, 70, one);
        vm.expectRevert(noQuorum);
        registry.commit(header, RECORD, 70, twice);
        bytes memory good = committed(header, RECORD, 70);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.commit(header, RECORD, 71, good);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.commit(header, keccak256("another record"), 70, good);
        vm.prank(actor("anybody"));
        registry.commit(header, RECORD, 70, good);
    }

    function testSignaturesForAnotherChainRegistryOrCustodianDoNotCount() external {
        Header memory header = nextHeader(ELSEWHERE, 1);
        bytes memory signatures = committed(header, RECORD, 70);
        ProofRegistry mine = registry;
        vm.chainId(1);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        mine.commit(header, RECORD, 70, signatures);
        vm.chainId(31337);
        registry = ProofRegistry(deploy("ProofRegistry", abi.encode(settings())));
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.commit(header, RECORD, 70, signatures);
        mine.commit(header, RECORD, 70, signatures);
    }

    function testALaterBlockPicksTheEpochThatIsProven(bytes32 hash) external {
        vm.assume(hash != 0);
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongWindow.selector, 0));
        registry.draw(asset, 0);
        fill(0);
        ProofRegistry.Window memory full = registry.windowAt(asset, 0);
        vm.assertEq(full.challengeBlock, block.number + DRAW_DELAY, "a block that is not there yet");
        vm.roll(full.challengeBlock);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.TooEarly.selector, full.challengeBlock));
        registry.draw(asset, 0);
        vm.roll(full.challengeBlock + 3);
        vm.setBlockhash(full.challengeBlock, hash);
        vm.prank(actor("anybody"));
        uint64 epoch = registry.draw(asset, 0);
        uint256 picked = uint256(keccak256(abi.encode(hash, address(registry), asset, uint256(0)))) % EPOCHS;
        vm.assertEq(epoch, 1 + picked, "by the hash");
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongWindow.selector, 0));
        registry.draw(asset, 0);
        vm.expectRevert(abi.encodeWithSelector(ProofRegistry.WrongWindow.selector, 1));
        registry.draw(asset, 1);
    }

    function testAWindowThatNobodyDrewInTimeIsDrawnByALaterBlockAndIsNoFresher() external {
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        fill(0);
        uint256 challengeBlock = registry.windowAt(asset, 0).challengeBlock;
        vm.roll(challengeBlock + 300);
        vm.etch(0x0000F90827F1C53a10cb7A02335B175320002935, "");
        vm.assertEq(registry.draw(asset, 0), 0, "nobody knows that hash any more");
        ProofRegistry.Window memory postponed = registry.windowAt(asset, 0);
        vm.assertEq(postponed.challengeBlock, block.number + DRAW_DELAY, "later");
        vm.assertEq(postponed.endedAt, block.timestamp, "the time to prove goes on");
        vm.roll(postponed.challengeBlock + 1);
        vm.setBlockhash(postponed.challengeBlock, keccak256("later"));
        vm.assertTrue(registry.draw(asset, 0) != 0, "drawn");
    }

    function testWindowsAreProvenInOrderAndOnce() external {
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        notProven(asset, 0, proofBy(asset, 1));
        fill(0);
        fill(1);
        bytes memory second = proofBy(asset, drawn(1));
        notProven(asset, 1, second);
        uint64 epoch = drawn(0);
        bytes memory first = proofBy(asset, epoch);
        bytes memory other = proofBy(asset, epoch == 1 ? 2 : 1);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.prove(asset, 0, BUNDLE, other);
        vm.expectPartialRevert(ProofRegistry.NoQuorum.selector);
        registry.prove(asset, 0, keccak256("another bundle"), first);
        vm.expectEmit(address(registry));
        emit ProofRegistry.Proven(asset, 0, epoch, BUNDLE, 101);
        registry.prove(asset, 0, BUNDLE, first);
        vm.assertEq(registry.windowAt(asset, 0).proof, BUNDLE, "which bundle");
        notProven(asset, 0, first);
        registry.prove(asset, 1, BUNDLE, second);
    }

    function testTheLeastReservesOfTheWindowAreReported() external {
        uint128[4] memory reserves = [uint128(90), 40, 70, 80];
        for (uint64 i = 0; i < 4; ++i) {
            take(ELSEWHERE, i + 1, reserves[i]);
        }
        take(ELSEWHERE, 5, 1_000);
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        vm.assertEq(registry.windowAt(asset, 0).leastReserves, 40, "the least");
        vm.assertEq(registry.windowAt(asset, 1).leastReserves, 1_000, "counted anew");
    }

    function testSilenceAndLateProofsAreStale() external {
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        vm.assertFalse(registry.isFresh(asset), "nothing yet");
        fill(0);
        vm.assertFalse(registry.isFresh(asset), "nothing proven");
        registry.prove(asset, 0, BUNDLE, proofBy(asset, drawn(0)));
        vm.assertTrue(registry.isFresh(asset), "proven");
        uint256 last = registry.epochAt(asset, 4).committedAt;
        vm.warp(last + CADENCE);
        vm.assertTrue(registry.isFresh(asset), "the last second");
        vm.warp(last + CADENCE + 1);
        vm.assertFalse(registry.isFresh(asset), "no new epoch");
        fill(1);
        vm.assertTrue(registry.isFresh(asset), "a window has time to be proven");
        uint256 endedAt = registry.windowAt(asset, 1).endedAt;
        for (uint64 epoch = 9; block.timestamp <= endedAt + PROVE_WITHIN; ++epoch) {
            vm.assertTrue(registry.isFresh(asset), "in time");
            take(ELSEWHERE, epoch, 200);
        }
        vm.assertFalse(registry.isFresh(asset), "epochs come, and the proof is late");
        registry.prove(asset, 1, BUNDLE, proofBy(asset, drawn(1)));
        vm.assertEq(registry.windowAt(asset, 1).provenAt, block.timestamp, "late, and said so");
    }

    function testTheFeedHasARoundForEachProvenWindow() external {
        ReserveFeed feed = ReserveFeed(deploy("ReserveFeed", abi.encode(registry, ELSEWHERE, uint8(18))));
        bytes32 asset = keccak256(bytes(ELSEWHERE));
        vm.assertEq(feed.decimals(), 18, "decimals");
        vm.assertEq(feed.version(), 1, "version");
        vm.assertEq(bytes(feed.description()), bytes(string.concat("Self-reported reserves of ", ELSEWHERE)), "words");
        vm.expectRevert(abi.encodeWithSelector(ReserveFeed.NoData.selector, 0));
        feed.latestRoundData();
        fill(0);
        vm.expectRevert(abi.encodeWithSelector(ReserveFeed.NoData.selector, 1));
        feed.getRoundData(1);
        registry.prove(asset, 0, BUNDLE, proofBy(asset, drawn(0)));
        fill(1);
        (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            feed.latestRoundData();
        vm.assertEq(id, 1, "round");
        vm.assertEq(uint256(answer), 101 * 10 ** 9, "in the smallest unit");
        vm.assertEq(startedAt, registry.windowAt(asset, 0).endedAt, "from the end of the window");
        vm.assertEq(updatedAt, registry.windowAt(asset, 0).provenAt, "to its proof");
        vm.assertEq(answeredIn, 1, "answered in");
    }

    function testSettingsThatMeanNothingAreRefused() external {
        for (uint256 field = 0; field < 7; ++field) {
            bytes memory arguments = abi.encode(settings());
            assembly {
                mstore(add(add(arguments, 32), shl(5, field)), 0)
            }
            vm.assertEq(tryDeploy("ProofRegistry", arguments), address(0), "a zero");
        }
    }
}
